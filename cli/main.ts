#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts';

// Before anything else is loaded: what is imported earlier is not cached. Hence the dynamic import below.
useCompileCache(process.env);

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`prewarm: needs Node 24 or later, and this is ${process.versions.node}; from a clone, npx prewarm brings its own\n`);
  process.exitCode = 2;
} else {
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(process.argv.slice(2));
}

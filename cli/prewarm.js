#!/usr/bin/env node
// Plain JavaScript, so that a Node that is too old for the rest can say so.
import { existsSync } from 'node:fs';

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`prewarm: needs Node 24 or later, and this is ${process.versions.node}; from a clone, npx prewarm brings its own\n`);
  process.exitCode = 2;
} else {
  // A clone runs its sources, never a bundle that may be old. A package has no sources: Node strips no types under node_modules.
  const source = new URL('main.ts', import.meta.url);
  await import(existsSync(source) ? source.href : '../dist/main.js');
}

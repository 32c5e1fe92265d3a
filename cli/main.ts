import { useCompileCache } from './compile-cache.ts';

// Before anything else is loaded: what is imported earlier is not cached. Hence the dynamic import below.
useCompileCache(process.env);

const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(process.argv.slice(2));

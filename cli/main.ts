import { useCompileCache } from './compile-cache.ts';
import { ignoreHangup, isHangupIgnored } from './hangup.ts';

// Before anything else is loaded: what is imported earlier is not cached. Hence the dynamic import below.
useCompileCache(process.env);
// As early: loading the rest takes long enough for a terminal to go away meanwhile.
if (isHangupIgnored()) ignoreHangup();

const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(process.argv.slice(2));

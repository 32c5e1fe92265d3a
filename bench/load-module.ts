import { pathToFileURL } from 'node:url';

// Loads the module it is given and tells its parent how long that took, from the start of the process, milliseconds.
await import(pathToFileURL(process.argv[2] ?? '').href);
process.send?.(performance.now(), () => process.exit());

// Run after `npm install` where the registry offers only some platforms' builds: npm then leaves the optional packages of
// the other platforms out of the lock, and `npm ci` refuses that lock everywhere. This adds them by name and version.
import { readFileSync, writeFileSync } from 'node:fs';

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const CPUS = ['x64', 'arm64', 'arm', 'ppc64', 'riscv64', 's390x', 'ia32'];

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const { '': root, ...packages } = lock.packages;
let added = 0;
for (const [path, entry] of Object.entries(packages)) {
  // What comes inside another package's archive is complete as it is.
  if (entry.inBundle) continue;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (packages[key] ?? packages[`${path}/${key}`]) continue;
    const parts = name.split(/[/-]/);
    const os = parts.find((part) => SYSTEMS.includes(part));
    const cpu = parts.find((part) => CPUS.includes(part));
    if (os === undefined || cpu === undefined) throw new Error(`${name}: neither system nor processor can be told from its name`);
    const libc = os === 'linux' ? { libc: [name.includes('musl') ? 'musl' : 'glibc'] } : {};
    packages[key] = { version, cpu: [cpu], ...(entry.dev ? { dev: true } : {}), ...libc, optional: true, os: [os] };
    added += 1;
  }
}
const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
lock.packages = { '': root, ...Object.fromEntries(sorted) };
if (added > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} optional packages added`);

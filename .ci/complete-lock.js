// Run after `npm install` where the registry offers only some platforms' builds to this machine: npm then leaves the optional
// packages of the other platforms out of the lock, or without their hash, and `npm ci` refuses that lock or takes what it gets.
// This asks the registry for each of them, by npm itself, and fails where there is no hash.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const AT_ONCE = 4;

const run = promisify(execFile);
const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const { '': root, ...packages } = lock.packages;

const listOf = (value) => (value === undefined ? undefined : [value].flat());

/** What comes inside another package's archive is complete as it is, and a folder of this one has no hash. */
const needsHash = ([path, entry]) => path.includes('node_modules/') && !entry.inBundle && !entry.link && !entry.integrity;

/** Optional packages that the lock does not name. */
function missing() {
  const found = {};
  for (const [path, entry] of Object.entries(packages)) {
    if (entry.inBundle) continue;
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const key = `node_modules/${name}`;
      if (packages[key] ?? packages[`${path}/${key}`]) continue;
      found[key] = { version, ...(entry.dev ? { dev: true } : {}), optional: true };
    }
  }
  return found;
}

async function ask([path, entry]) {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const wanted = `${name}@${entry.version}`;
  const fields = ['dist.integrity', 'os', 'cpu', 'libc', 'license', 'engines'];
  const { stdout } = await run('npm', ['view', wanted, ...fields, '--json']).catch((error) => {
    throw new Error(
      `${wanted}: the registry does not tell its hash: ${
        String(error.stderr ?? error)
          .trim()
          .split('\n')[0]
      }`,
    );
  });
  const { 'dist.integrity': integrity, os, cpu, libc, license, engines } = JSON.parse(stdout || '{}');
  if (typeof integrity !== 'string' || !integrity.startsWith('sha512-')) throw new Error(`${wanted}: the registry has no SHA-512 of it`);
  const told = { os: listOf(os), cpu: listOf(cpu), libc: listOf(libc), license, engines };
  const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
  const { version, ...rest } = entry;
  packages[path] = { version, integrity, ...known, ...rest };
}

Object.assign(packages, missing());
const todo = Object.entries(packages).filter(needsHash);
const total = todo.length;
const work = async () => {
  for (let next = todo.shift(); next !== undefined; next = todo.shift()) await ask(next);
};
await Promise.all(Array.from({ length: AT_ONCE }, work));
const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
lock.packages = { '': root, ...Object.fromEntries(sorted) };
if (total > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${total} packages completed by their hash`);

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { prewarm } from '../prewarm-command.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

const run = promisify(execFile);

function isThere(shell: string): boolean {
  try {
    execFileSync(shell, ['-c', 'true']);
    return true;
  } catch {
    return false;
  }
}

/** Loads the script, then asks the function that bash would ask, with the words that bash would make of the line. */
const ASK_BASH = `
source "$1"
[[ $(complete -p prewarm) == 'complete -F _prewarm prewarm' ]] || exit 9
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_prewarm
printf '%s\\n' "\${COMPREPLY[@]}"`;

/** Presses the tab key in a zsh at a terminal of its own, which writes every word that it would offer into a file. */
const ASK_ZSH = `
zmodload zsh/zpty
zpty inner "TERM=vt100 zsh -f -i"
zpty -w inner "autoload -Uz compinit; compinit -D -u"
zpty -w inner 'compadd() { if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi; local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >> '"\${(q)4}"'; builtin compadd "$@" }'
zpty -w inner "stty kill undef; source \${(q)1}; cd \${(q)2}; bindkey '^I' complete-word; echo RE''ADY"
zpty -r inner seen '*READY*'
zpty -wn inner "$3"$'\\t'
zpty -wn inner $'\\C-u'"echo DO''NE"$'\\n'
zpty -r inner seen '*DONE*'
zpty -d inner`;

for (const shell of ['bash', 'zsh'])
  describe.skipIf(!isThere(shell))(`in ${shell}`, () => {
    let script: string;

    beforeAll(async () => {
      script = (await prewarm(['completion', shell])).stdout;
    });

    /** What is offered for the last word of the line. */
    async function offers(line: string, files: readonly string[] = []): Promise<readonly string[]> {
      const dir = temporaryDir();
      const file = join(temporaryDir(), 'script');
      writeFileSync(file, script);
      for (const name of files) {
        if (name.endsWith('/')) mkdirSync(join(dir, name));
        else writeFileSync(join(dir, name), '');
      }
      if (shell === 'zsh') {
        const offered = join(temporaryDir(), 'offered');
        writeFileSync(offered, '');
        await run('zsh', ['-f', '-c', ASK_ZSH, 'zsh', file, dir, line, offered], { timeout: 20_000, killSignal: 'SIGKILL' });
        return [...new Set(readFileSync(offered, 'utf8').split('\n').filter(Boolean))].sort();
      }
      const words = line.split(/ |(=)/).filter((word) => word !== undefined);
      const { stdout } = await run('bash', ['--norc', '-c', ASK_BASH, 'bash', file, ...words], { cwd: dir });
      return stdout.trim().split('\n').sort();
    }

    test('completion offers commands by their beginning, and after help', async () => {
      expect(await offers('prewarm s')).toEqual(['serve', 'simulate', 'status', 'submit', 'summary']);
      expect(await offers('prewarm help dr')).toEqual(['drill']);
      expect(await offers('prewarm keep')).toEqual(['keep-warm']);
      expect(await offers('prewarm ti')).toEqual(['timing']);
      expect(await offers('prewarm completion ')).toEqual(['bash', 'zsh']);
    });

    test('completion offers every option that the help of a command shows', async () => {
      const commands = ['run', 'simulate', 'submit', 'requests', 'keep-warm', 'timing'];
      const helps = await Promise.all(commands.map((command) => prewarm([command, '--help'])));
      for (const [at, { stdout }] of helps.entries()) {
        const shown = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((match) => String(match[1]));
        expect(shown.length).toBeGreaterThan(3);
        expect(await offers(`prewarm ${commands[at]} --`)).toEqual([...shown].sort());
      }
    });

    test('completion offers --first-byte-timeout by its beginning and offers no value for it', async () => {
      for (const command of ['run', 'submit']) {
        expect(await offers(`prewarm ${command} --first`)).toEqual(['--first-byte-timeout']);
        expect((await offers(`prewarm ${command} --first-byte-timeout ur`, ['urls.csv'])).join('')).toBe('');
      }
    });

    test('completion offers files for lists and files, folders for folders, and nothing for free values', async () => {
      const files = ['urls.csv', 'urls.txt', 'urls.d/'];
      const names = (offered: readonly string[]) => offered.map((name) => name.replace(/\/$/, ''));
      expect(names(await offers('prewarm run ur', files))).toEqual(['urls.csv', 'urls.d', 'urls.txt']);
      expect(names(await offers('prewarm submit --wait urls.c', files))).toEqual(['urls.csv']);
      expect(names(await offers('prewarm run --out=ur', files))).toEqual(['urls.csv', 'urls.d', 'urls.txt']);
      expect(names(await offers('prewarm serve --data-dir ur', files))).toEqual(['urls.d']);
      expect(names(await offers('prewarm serve --keep-warm ur', files))).toEqual(['urls.csv', 'urls.d', 'urls.txt']);
      expect(names(await offers('prewarm timing --compare urls.c', files))).toEqual(['urls.csv']);
      expect((await offers('prewarm status u', files)).join('')).toBe('');
    });

    test('completion offers POPs, countries and regions, and offers them again after a comma', async () => {
      expect(await offers('prewarm run --regions a')).toEqual(['all', 'apac', 'au']);
      expect(await offers('prewarm submit --countries ja')).toEqual(['japan']);
      const after = await offers('prewarm drill --pops SIN2-P1,FRA60-');
      expect(after.map((offered) => offered.replace('SIN2-P1,', ''))).toContain('FRA60-P1');
      expect(await offers('prewarm keep-warm --pops HKG62-')).toContain('HKG62-C1');
    });
  });

test('completion refuses an unknown shell by its name', async () => {
  const ended = await prewarm(['completion', 'fish']);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toContain('Allowed choices are bash, zsh');
});

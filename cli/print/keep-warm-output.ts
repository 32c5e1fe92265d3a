import { isDead, type LaneFigures, viewLane } from '../../core/keep-warm/tally.ts';
import { plainJsonText, plainText } from '../../core/plain-text.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { formatKeepWarmLine, formatKeepWarmTable } from './keep-warm-table.ts';
import { createLiveText } from './live-text.ts';
import { columnsOf, wrapAt, wrapNote } from './screen.ts';

/** What `prewarm keep-warm` shows: a table that is drawn anew at a terminal, JSON lines for scripts, a line a minute elsewhere. */
export interface KeepWarmOutput {
  /** To be called every second. */
  update(): void;
  note(text: string): void;
  end(): void;
}

const JSON_EVERY_MS = 10_000;
const LINE_EVERY_MS = 60_000;

export function createKeepWarmOutput(
  lanes: readonly LaneFigures[],
  options: { readonly json: boolean; readonly now: () => number },
): KeepWarmOutput {
  const { stdout, stderr } = process;
  const { json, now } = options;
  const startedAt = now();
  const live = !json && stderr.isTTY ? createLiveText(stderr) : null;
  const cityOf = (pop: string) => popCatalogue().describe(pop).city;
  const dead = new Set<string>();
  let writtenAt = startedAt;

  const note = (text: string) => {
    const lines = wrapNote(text, wrapAt(stderr));
    if (live === null) stderr.write(`${lines}\n`);
    else live.note(lines);
  };
  const elapsed = () => now() - startedAt;
  const table = (color: boolean, width: number) => formatKeepWarmTable(lanes.map(viewLane), { cityOf, color, elapsedMs: elapsed(), width });
  const writeJson = (ended: boolean) =>
    stdout.write(`${plainJsonText(JSON.stringify({ elapsed_ms: Math.round(elapsed()), ended, pops: lanes.map(viewLane) }))}\n`);

  function noteChanges(): void {
    for (const figures of lanes) {
      const { pop } = figures.lane;
      if (isDead(figures) && !dead.has(pop)) {
        dead.add(pop);
        note(`prewarm: ${pop} does not answer: ${plainText(figures.detail)}; the others go on`);
      } else if (!isDead(figures) && dead.delete(pop)) note(`prewarm: ${pop} answers again`);
    }
  }

  return {
    note,
    update() {
      noteChanges();
      if (live !== null) live.show(table(!process.env['NO_COLOR'], columnsOf(stderr) - 1));
      const isDue = now() - writtenAt >= (json ? JSON_EVERY_MS : LINE_EVERY_MS);
      if (live !== null || !isDue) return;
      writtenAt = now();
      if (json) writeJson(false);
      else note(formatKeepWarmLine(lanes.map(viewLane), elapsed()));
    },
    end() {
      noteChanges();
      live?.clear();
      if (json) writeJson(true);
      else stdout.write(table(stdout.isTTY && !process.env['NO_COLOR'], columnsOf(stdout)));
    },
  };
}

import type { PopSurvey } from './drill-survey.ts';
import { formatTable } from './pop-table.ts';

const milliseconds = (ms: number) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;

/** One row a POP: how many of the asks were answered from its cache, and how soon. */
export function formatSurvey(title: string, surveys: readonly PopSurvey[]): string {
  const rows = surveys.map(({ pop, asks, hits, medianMs, p95Ms }) => [
    pop,
    String(asks),
    String(hits),
    String(asks - hits),
    milliseconds(medianMs),
    milliseconds(p95Ms),
  ]);
  return `${title}\n\n${formatTable(['POP', 'Asks', 'Hit', 'Miss', 'First byte, median', '95th percentile'], rows, 1)}\n`;
}

export interface DrillFigures {
  readonly before: readonly PopSurvey[];
  readonly after: readonly PopSurvey[];
  /** Whole objects the origin was asked for by the warm-up. */
  readonly fetches: number;
  readonly urls: number;
  readonly proof: { readonly cold: boolean; readonly warmed: boolean; readonly warm: boolean; readonly originSpared: boolean };
}

const CLAIMS = {
  cold: 'before, no POP held any of the URLs',
  warmed: 'the warm-up says that every target is warm',
  warm: 'after, every address of every POP answers every URL from its cache',
  originSpared: 'viewers coming now cost the origin nothing',
} as const;

const middle = (surveys: readonly PopSurvey[]) => {
  const times = surveys.map(({ medianMs }) => medianMs).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? 0;
};

/** What a viewer gains, and each claim of the proof by itself. */
export function formatVerdict({ before, after, fetches, urls, proof }: DrillFigures): string {
  const [cold, warm] = [middle(before), middle(after)];
  const lines = [
    `A viewer's first byte: ${milliseconds(cold)} before, ${milliseconds(warm)} now (${(cold / warm).toFixed(1)} times as soon).`,
    `The origin was asked for ${fetches} whole objects, for ${urls} URLs at ${before.length} POPs: regional caches fetch once for all of theirs.`,
    '',
  ];
  for (const [claim, text] of Object.entries(CLAIMS)) lines.push(`  ${proof[claim as keyof typeof CLAIMS] ? 'proved' : 'FAILED'}  ${text}`);
  lines.push('', Object.values(proof).every(Boolean) ? 'The proof holds.' : 'The proof does not hold.');
  return lines.join('\n');
}

import { styleText } from 'node:util';
import type { PopSurvey } from '../commands/drill-survey.ts';
import { counted, formatCount } from './quantities.ts';
import { wrapWords } from './screen.ts';
import { formatTable } from './text-table.ts';
import { ascending, medianOf } from '../../core/quantile.ts';

const milliseconds = (ms: number) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;

/** One row a POP: how many of the asks were answered from its cache, and how soon. */
export function formatSurvey(title: string, surveys: readonly PopSurvey[], width: number): string {
  const columns = [
    { head: 'POP', cells: surveys.map(({ pop }) => pop), isText: true },
    { head: 'Asks', cells: surveys.map(({ asks }) => formatCount(asks)) },
    { head: 'Hit', cells: surveys.map(({ hits }) => formatCount(hits)) },
    { head: 'Miss', cells: surveys.map(({ asks, hits }) => formatCount(asks - hits)) },
    { head: 'First byte, median', cells: surveys.map(({ medianMs }) => milliseconds(medianMs)) },
    { head: '95th percentile', cells: surveys.map(({ p95Ms }) => milliseconds(p95Ms)), rank: 1 },
  ];
  return `${title}\n\n${formatTable(columns, width)}\n`;
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

const middle = (surveys: readonly PopSurvey[]) => medianOf(ascending(surveys.map(({ medianMs }) => medianMs)));

/** What a viewer gains, and each claim of the proof by itself. */
export function formatVerdict(
  { before, after, fetches, urls, proof }: DrillFigures,
  look: { readonly color: boolean; readonly wrap: number | null },
): string {
  const paint = (text: string, holds: boolean) => (look.color ? styleText(holds ? 'green' : 'red', text, { validateStream: false }) : text);
  const [cold, warm] = [middle(before), middle(after)];
  const lines = [
    `A viewer's first byte: ${milliseconds(cold)} before, ${milliseconds(warm)} after (${(cold / warm).toFixed(1)} times faster).`,
    `The origin was asked for ${counted(fetches, 'whole object')}, for ${counted(urls, 'URL')} at ${counted(before.length, 'POP')}: regional caches fetch once for all of theirs.`,
    '',
  ];
  for (const [claim, text] of Object.entries(CLAIMS)) {
    const holds = proof[claim as keyof typeof CLAIMS];
    lines.push(`  ${holds ? 'proved' : paint('FAILED', false)}  ${text}`);
  }
  const isProved = Object.values(proof).every(Boolean);
  lines.push('', paint(isProved ? 'The proof holds.' : 'The proof does not hold.', isProved));
  return lines.map((line) => wrapWords(line, look.wrap)).join('\n');
}

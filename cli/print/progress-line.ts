import { styleText } from 'node:util';
import { plainText } from '../../core/plain-text.ts';
import type { Progress } from '../../core/report/progress.ts';
import { isEnded, type RequestStatus } from '../../core/request/request.ts';
import { formatBytes, formatCount, formatDuration, formatRate, formatTimeLeft } from './quantities.ts';

const PHASES: Partial<Record<RequestStatus, string>> = {
  CREATED: 'starting',
  INVALIDATING: 'waiting for the invalidation (CloudFront takes minutes)',
  SIZING: 'asking sizes',
  QUEUEING: 'planning',
};
const MIN_BAR = 10;
const MAX_BAR = 30;

type Paint = (style: 'green' | 'red' | 'dim', text: string) => string;

/** One figure of a line. The least important ones (highest number) go first where the line is too long. */
interface Part {
  readonly text: string;
  readonly importance: number;
  readonly style?: 'red';
}

/** What is going on before targets can be counted; null: they can. */
function phaseOf(progress: Progress): string | null {
  if (progress.status === 'INVALIDATING' && progress.status_reason !== null) return plainText(progress.status_reason);
  const isPlanning = progress.status === 'QUEUEING' && finishedTargets(progress) > 0;
  if (isPlanning) return null;
  const phase = PHASES[progress.status] ?? null;
  const { url_count: urls, sized_count: sized } = progress;
  return progress.status === 'SIZING' && urls > 0 ? `${phase} ${formatCount(Math.min(sized, urls))}/${formatCount(urls)}` : phase;
}

/** Accounted and provisional targets. What was stopped before it was tried is not finished. */
function finishedTargets(progress: Progress): number {
  const { total_count: total, download_count: done, failed_count: failed, stopped_count: stopped, provisional_count: ahead } = progress;
  return Math.min(total, done + failed - stopped + ahead);
}

function percentOf(progress: Progress): number {
  if (progress.total_count === 0 || isEnded(progress.status)) return progress.percentage_complete;
  const share = Math.floor((finishedTargets(progress) * 100) / progress.total_count);
  // Provisional targets may yet fall back, so only accounted ones make it 100.
  return progress.percentage_complete === 100 ? 100 : Math.min(99, share);
}

/** Bytes of warm objects. They reach the total only where nothing fails, so that otherwise they are named. */
function bytesText(progress: Progress): string {
  const read = progress.download_size + progress.provisional_bytes;
  const name = progress.failed_count > 0 ? ' warm' : '';
  return progress.total_size > 0
    ? `${formatBytes(Math.min(read, progress.total_size))} of ${formatBytes(progress.total_size)}${name}`
    : `${formatBytes(read)}${name}`;
}

function partsOf(progress: Progress): Part[] {
  const { stopped_count: stopped, eta_seconds: eta, rate, provisional_count: ahead } = progress;
  const { warmed_count: warmed, already_warm_count: already } = progress;
  const failed = progress.failed_count - stopped;
  const parts: Part[] = [
    { text: `${formatCount(finishedTargets(progress))}/${formatCount(progress.total_count)} targets`, importance: 0 },
    { text: `${formatCount(warmed)} warmed`, importance: warmed > 0 || already === 0 ? 4 : 5.5 },
    { text: `${formatCount(already)} already warm`, importance: already > 0 && warmed === 0 ? 4 : 5 },
    { text: `${formatCount(failed)} failed`, importance: failed > 0 ? 1 : 6, ...(failed > 0 ? { style: 'red' as const } : {}) },
  ];
  // Tasks are counted as a whole, so that the kinds lag behind: with these the figures add up.
  if (ahead > 0) parts.push({ text: `${formatCount(ahead)} to be counted`, importance: 4.5 });
  if (stopped > 0) parts.push({ text: `${formatCount(stopped)} not tried`, importance: 1.5 });
  if (rate > 0) parts.push({ text: `${formatRate(rate)}/s`, importance: 3 });
  if (rate > 0 && eta !== null && eta > 0) parts.push({ text: `${formatTimeLeft(eta)} left`, importance: 2 });
  parts.push({ text: bytesText(progress), importance: 3.5 });
  return parts;
}

/** Figures of a line in words, for logs: no escape sequences, no bar. */
export function formatPlainLine(progress: Progress): string {
  const phase = phaseOf(progress);
  if (phase !== null) return `${progress.status}: ${phase}`;
  const parts = partsOf(progress).map((part) => part.text);
  return `${progress.status}: ${percentOf(progress)}%, ${parts.join(', ')}`;
}

/** The line that is drawn over and over at a terminal: never longer than `width` characters. `elapsedMs` shows that a phase is alive. */
export function formatBarLine(
  progress: Progress,
  options: { readonly width: number; readonly color: boolean; readonly elapsedMs: number },
): string {
  const paint: Paint = (style, text) => (options.color ? styleText(style, text, { validateStream: false }) : text);
  const phase = phaseOf(progress);
  if (phase !== null) return `${phase} … ${formatDuration(options.elapsedMs)}`.slice(0, options.width);
  const percent = percentOf(progress);
  const head = `${String(percent).padStart(3)}%`;
  const parts = partsOf(progress);
  const lengthOf = (kept: readonly Part[]) => kept.reduce((sum, part) => sum + part.text.length + 3, head.length + 2);
  while (parts.length > 1 && lengthOf(parts) + MIN_BAR >= options.width) {
    const least = Math.max(...parts.map((part) => part.importance));
    parts.splice(
      parts.findIndex((part) => part.importance === least),
      1,
    );
  }
  const bar = Math.min(MAX_BAR, options.width - lengthOf(parts) - 1);
  const done = Math.round((Math.max(0, bar) * percent) / 100);
  const drawn = bar < MIN_BAR ? '' : ` ${paint('green', '█'.repeat(done))}${paint('dim', '░'.repeat(bar - done))}`;
  const figures = parts.map((part) => (part.style === undefined ? part.text : paint(part.style, part.text))).join(paint('dim', ' · '));
  return `${head}${drawn}  ${figures}`;
}

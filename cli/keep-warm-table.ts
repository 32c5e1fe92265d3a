import { styleText } from 'node:util';
import type { LaneView } from '../core/keep-warm/tally.ts';
import { plainText } from '../core/plain-text.ts';
import { formatTable } from './pop-table.ts';
import { counted, formatCount, formatDuration, formatMilliseconds } from './quantities.ts';

export interface KeepWarmTableOptions {
  readonly cityOf: (pop: string) => string;
  readonly color: boolean;
  readonly elapsedMs: number;
}

const STATES: Readonly<Record<LaneView['state'], string>> = {
  waiting: 'waiting',
  answering: 'answers',
  silent: 'silent',
  pop_unresolvable: 'does not resolve',
  address_refused: 'address refused',
};

const MAX_CITY = 18;

const spread = (times: LaneView['connect_ms']) =>
  times === null ? '' : `${formatMilliseconds(times.median)} / ${formatMilliseconds(times.p95)}`;

export const errorCount = ({ errors }: LaneView) => Object.values(errors).reduce((sum, count) => sum + count, 0);
export const unsentCount = ({ unsent }: LaneView) => Object.values(unsent).reduce((sum, count) => sum + count, 0);

/** One row per POP, and below it what went wrong. Ends with a line end. */
export function formatKeepWarmTable(lanes: readonly LaneView[], { cityOf, color, elapsedMs }: KeepWarmTableOptions): string {
  const red = (text: string, isWrong: boolean) => (isWrong && color ? styleText('red', text, { validateStream: false }) : text);
  const rows = lanes.map((lane) => [
    lane.pop,
    cityOf(lane.pop).slice(0, MAX_CITY),
    red(STATES[lane.state], lane.state !== 'answering' && lane.state !== 'waiting'),
    formatCount(lane.requests),
    red(formatCount(errorCount(lane)), errorCount(lane) > 0),
    spread(lane.connect_ms),
    spread(lane.first_byte_ms),
    lane.new_connection_share === null ? '' : `${(lane.new_connection_share * 100).toFixed(1)} %`,
  ]);
  const head = ['POP', 'City', 'State', 'Requests', 'Errors', 'Connect, ms', 'First byte, ms', 'New to origin'];
  const notes = lanes.flatMap((lane) => {
    const wrong = [...Object.entries(lane.errors), ...Object.entries(lane.unsent).map(([reason, count]) => [`not sent, ${reason}`, count])];
    const reasons = wrong.map(([reason, count]) => `${reason} ${count}`).join(', ');
    const why = lane.detail === '' ? '' : ` (${plainText(lane.detail)})`;
    return reasons === '' && why === '' ? [] : [`${lane.pop}: ${reasons}${why}`];
  });
  const requests = lanes.reduce((sum, lane) => sum + lane.requests, 0);
  const closing = `${counted(requests, 'request')} in ${formatDuration(elapsedMs)}. Times: median / p95.`;
  return `${[formatTable(head, rows, 3), ...(notes.length > 0 ? [notes.join('\n')] : []), closing].join('\n\n')}\n`;
}

/** The same in one line, for logs. */
export function formatKeepWarmLine(lanes: readonly LaneView[], elapsedMs: number): string {
  const parts = lanes.map((lane) => {
    const firstByte = lane.first_byte_ms === null ? '' : `, first byte ${formatMilliseconds(lane.first_byte_ms.median)} ms`;
    const share = lane.new_connection_share === null ? '' : `, ${(lane.new_connection_share * 100).toFixed(1)} % new`;
    return `${lane.pop} ${STATES[lane.state]}: ${formatCount(lane.requests)} requests, ${formatCount(errorCount(lane))} errors${firstByte}${share}`;
  });
  return `${formatDuration(elapsedMs)} · ${parts.join(' · ')}`;
}

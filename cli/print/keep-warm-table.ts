import { styleText } from 'node:util';
import type { LaneView } from '../../core/keep-warm/tally.ts';
import { plainText } from '../../core/plain-text.ts';
import { counted, formatCount, formatDuration, formatMilliseconds } from './quantities.ts';
import { wrapWords } from './screen.ts';
import { formatTable } from './text-table.ts';
import { cutToWidth } from './text-width.ts';

export interface KeepWarmTableOptions {
  readonly cityOf: (pop: string) => string;
  readonly color: boolean;
  readonly elapsedMs: number;
  /** Columns that it may fill. */
  readonly width: number;
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
export function formatKeepWarmTable(lanes: readonly LaneView[], { cityOf, color, elapsedMs, width }: KeepWarmTableOptions): string {
  const red = (text: string, isWrong: boolean) => (isWrong && color ? styleText('red', text, { validateStream: false }) : text);
  const cellsOf = (cell: (lane: LaneView) => string) => lanes.map(cell);
  const columns = [
    { head: 'POP', cells: cellsOf(({ pop }) => pop), isText: true },
    { head: 'City', cells: cellsOf(({ pop }) => cutToWidth(cityOf(pop), MAX_CITY, '…')), isText: true, rank: 4 },
    {
      head: 'State',
      cells: cellsOf(({ state }) => red(STATES[state], state !== 'answering' && state !== 'waiting')),
      isText: true,
    },
    { head: 'Requests', cells: cellsOf(({ requests }) => formatCount(requests)) },
    { head: 'Errors', cells: cellsOf((lane) => red(formatCount(errorCount(lane)), errorCount(lane) > 0)) },
    { head: 'Connect, ms', cells: cellsOf(({ connect_ms }) => spread(connect_ms)), rank: 3 },
    { head: 'First byte, ms', cells: cellsOf(({ first_byte_ms }) => spread(first_byte_ms)), rank: 1 },
    {
      head: 'New to origin',
      cells: cellsOf(({ new_connection_share: share }) => (share === null ? '' : `${(share * 100).toFixed(1)} %`)),
      rank: 2,
    },
  ];
  const notes = lanes.flatMap((lane) => {
    const wrong = [...Object.entries(lane.errors), ...Object.entries(lane.unsent).map(([reason, count]) => [`not sent, ${reason}`, count])];
    const reasons = wrong.map(([reason, count]) => `${reason} ${count}`).join(', ');
    const why = lane.detail === '' ? '' : ` (${plainText(lane.detail)})`;
    return reasons === '' && why === '' ? [] : [wrapWords(`${lane.pop}: ${reasons}${why}`, width, '  ')];
  });
  const requests = lanes.reduce((sum, lane) => sum + lane.requests, 0);
  const closing = `${counted(requests, 'request')} in ${formatDuration(elapsedMs)}. Times: median / p95.`;
  return `${[formatTable(columns, width), ...(notes.length > 0 ? [notes.join('\n')] : []), closing].join('\n\n')}\n`;
}

/** The same in one line, for logs. */
export function formatKeepWarmLine(lanes: readonly LaneView[], elapsedMs: number): string {
  const parts = lanes.map((lane) => {
    const firstByte = lane.first_byte_ms === null ? '' : `, first byte ${formatMilliseconds(lane.first_byte_ms.median)} ms`;
    const share = lane.new_connection_share === null ? '' : `, ${(lane.new_connection_share * 100).toFixed(1)} % new`;
    return `${lane.pop} ${STATES[lane.state]}: ${counted(lane.requests, 'request')}, ${counted(errorCount(lane), 'error')}${firstByte}${share}`;
  });
  return `${formatDuration(elapsedMs)} · ${parts.join(' · ')}`;
}

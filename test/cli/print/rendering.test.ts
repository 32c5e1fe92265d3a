import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { formatFaults } from '../../../cli/print/faults.ts';
import { createJsonLines } from '../../../cli/print/json-lines.ts';
import { createProgressDisplay } from '../../../cli/print/progress-bar.ts';
import { formatBarLine } from '../../../cli/print/progress-line.ts';
import { formatBytes, formatDuration } from '../../../cli/print/quantities.ts';
import { reportError } from '../../../cli/print/report-error.ts';
import { onInterrupt } from '../../../cli/signals.ts';
import type { Clock } from '../../../core/clock.ts';
import { InvalidInput, PrewarmError } from '../../../core/errors.ts';
import { progressWith } from './progress-fixture.ts';

const HALF_WAY = progressWith({
  total_count: 9000,
  download_count: 4400,
  warmed_count: 4000,
  already_warm_count: 400,
  failed_count: 10,
  percentage_complete: 49,
  provisional_count: 90,
  download_size: 880_000_000,
  provisional_bytes: 20_000_000,
  total_size: 1_800_000_000,
  rate: 1234,
  eta_seconds: 4,
});

function textOf(stream: PassThrough): string {
  const text: unknown = stream.read();
  return text instanceof Buffer ? text.toString() : '';
}

function clockAt(time: number): Clock & { time: number } {
  const clock = { time, now: () => clock.time, after: () => () => undefined };
  return clock;
}

describe('the progress line', () => {
  test('the progress line shows bar, percent, counts, rate, remaining time and bytes, including provisional figures', () => {
    expect(formatBarLine(HALF_WAY, { width: 200, color: false, elapsedMs: 0 })).toBe(
      ' 50% ███████████████░░░░░░░░░░░░░░░  4,500/9,000 targets · 4,000 warmed · 400 already warm · 10 failed · 90 to be counted · 1,234/s · 4 s left · 900.0 MB of 1.8 GB warm',
    );
  });

  test('the progress line drops its least important parts to fit any width, and keeps failures and counts longest', () => {
    const at = (width: number) => formatBarLine(HALF_WAY, { width, color: true, elapsedMs: 0 });
    for (let width = 30; width < 160; width++) expect(stripVTControlCharacters(at(width)).length).toBeLessThanOrEqual(width);
    expect(stripVTControlCharacters(at(70))).toContain('10 failed');
    expect(stripVTControlCharacters(at(70))).not.toContain('already');
    expect(stripVTControlCharacters(at(30))).toBe(' 50%  4,500/9,000 targets');
  });

  test('the progress line does not reach 100 % by provisional figures alone', () => {
    const line = formatBarLine({ ...HALF_WAY, provisional_count: 4590 }, { width: 100, color: false, elapsedMs: 0 });
    expect(line.startsWith(' 99%')).toBe(true);
  });

  test('the progress line shows the phase and its time before targets can be counted', () => {
    const phase = (status: 'SIZING' | 'QUEUEING') =>
      formatBarLine(progressWith({ status, url_count: 4000, sized_count: 1280 }), { width: 80, color: false, elapsedMs: 61_000 });
    expect([phase('SIZING'), phase('QUEUEING')]).toEqual(['asking sizes 1,280/4,000 … 1 min 01 s', 'planning … 1 min 01 s']);
  });
});

describe('the progress display', () => {
  test('the progress display writes plain lines without a terminal: at each change of status, every 10 s, and at the end', () => {
    const clock = clockAt(1000);
    const stream = new PassThrough();
    const display = createProgressDisplay({ stream, isTTY: false, clock });
    display.update(progressWith({ status: 'SIZING' }));
    display.update(HALF_WAY);
    clock.time += 9_999;
    display.update({ ...HALF_WAY, failed_count: 11 });
    clock.time += 1;
    display.update({ ...HALF_WAY, failed_count: 12 });
    display.note('a note');
    display.update({ ...HALF_WAY, failed_count: 13 });
    display.close();
    expect(textOf(stream).split('\n')).toEqual([
      'SIZING: asking sizes',
      'IN_PROGRESS: 50%, 4,500/9,000 targets, 4,000 warmed, 400 already warm, 10 failed, 90 to be counted, 1,234/s, 4 s left, 900.0 MB of 1.8 GB warm',
      'IN_PROGRESS: 50%, 4,502/9,000 targets, 4,000 warmed, 400 already warm, 12 failed, 90 to be counted, 1,234/s, 4 s left, 900.0 MB of 1.8 GB warm',
      'a note',
      'IN_PROGRESS: 50%, 4,503/9,000 targets, 4,000 warmed, 400 already warm, 13 failed, 90 to be counted, 1,234/s, 4 s left, 900.0 MB of 1.8 GB warm',
      '',
    ]);
  });

  test('the progress display draws a bar at a terminal, leaves its last state there, and restores the cursor', () => {
    const listeners = process.listenerCount('exit');
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
    const display = createProgressDisplay({ stream, isTTY: true, color: false });
    display.update(HALF_WAY);
    display.note('a note');
    display.close();
    const drawn = textOf(stream);
    expect(drawn).toContain('\u001b[?25l');
    expect(drawn.lastIndexOf('\u001b[?25h')).toBeGreaterThan(drawn.lastIndexOf('\u001b[?25l'));
    expect(drawn).toContain('a note\n');
    expect(drawn.trimEnd().endsWith('4,500/9,000 targets · 10 failed · 1,234/s · 4 s left · 900.0 MB of 1.8 GB warm')).toBe(true);
    expect(process.listenerCount('exit')).toBe(listeners);
  });

  test('the progress display draws the bar again only when it has changed, at the width the terminal has then', async () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
    const display = createProgressDisplay({ stream, isTTY: true, color: false, clock: clockAt(0) });
    onTestFinished(() => display.close());
    let drawn = '';
    stream.on('data', (text: Buffer) => (drawn += text.toString()));
    const frames = () =>
      drawn
        .split('\r\u001b[K')
        .slice(1)
        .map((text) => text.split('\n')[0] ?? '');
    display.update(HALF_WAY);
    await vi.waitFor(() => expect(frames()).toHaveLength(2));
    stream.columns = 60;
    await vi.waitFor(() => expect(frames()).toHaveLength(3));
    const [starting, wide, narrow] = frames();
    expect(starting).toBe('starting');
    expect([wide, narrow]).toEqual([99, 59].map((width) => formatBarLine(HALF_WAY, { width, color: false, elapsedMs: 0 })));
    await new Promise((resolve) => {
      setTimeout(resolve, 400);
    });
    expect(frames()).toHaveLength(3);
  });

  test('the progress display uses no colours where NO_COLOR forbids them', () => {
    const colored = formatBarLine(HALF_WAY, { width: 100, color: true, elapsedMs: 0 });
    const plain = formatBarLine(HALF_WAY, { width: 100, color: false, elapsedMs: 0 });
    expect(colored).not.toBe(plain);
    expect(stripVTControlCharacters(colored)).toBe(plain);
    expect(stripVTControlCharacters(plain)).toBe(plain);
  });
});

test('the JSON output prints a line at most once a second, and always prints the last one', () => {
  const clock = clockAt(0);
  const stream = new PassThrough();
  const lines = createJsonLines(stream, clock);
  for (const [time, warmed] of [
    [0, 0],
    [500, 1],
    [999, 2],
    [1000, 3],
    [1100, 4],
    [1200, 5],
  ] as const) {
    clock.time = time;
    lines.update(progressWith({ warmed_count: warmed }));
  }
  lines.close();
  lines.close();
  const objects = textOf(stream)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { warmed_count: number });
  expect(objects.map((object) => object.warmed_count)).toEqual([0, 3, 5]);
});

const fault = (line: number) => ({ field: 'urls.csv', line, value: `ftp://${line}`, message: 'has the scheme ftp' });

describe('faults', () => {
  test('the list of faults shows 20 faults, counts the others, and says how to go on', () => {
    const faults = Array.from({ length: 20 }, (_, at) => fault(at + 1));
    const lines = formatFaults(faults, 31).trimEnd().split('\n');
    expect(lines[1]).toBe('  urls.csv, line 1: "ftp://1": has the scheme ftp');
    expect(lines.slice(-2)).toEqual(['  and 11 more', 'Correct these lines, or go on without them: --skip-bad']);
  });

  test('the list of option faults does not offer to skip them', () => {
    expect(formatFaults([fault(1), { field: '--pops', value: 'x', message: 'is no POP' }])).not.toContain('--skip-bad');
  });
});

describe('an error that ends the program', () => {
  function report(error: unknown, debug = false): { code: number; lines: readonly string[] } {
    const stderr = new PassThrough();
    const code = reportError(error, { stderr, debug });
    return { code, lines: textOf(stderr).trimEnd().split('\n') };
  }

  test('an expected error is printed in one line with its remedy', () => {
    expect(report(new PrewarmError('storage_full', 'the disk is full; free some space'))).toEqual({
      code: 1,
      lines: ['prewarm: the disk is full; free some space'],
    });
  });

  test('an unexpected error is called so, and shows its stack only when debugging', () => {
    const error = new TypeError('x is\nnot a function');
    expect(report(error)).toEqual({
      code: 1,
      lines: ['prewarm: unexpected error: x is not a function', 'prewarm: PREWARM_DEBUG=1 tells more'],
    });
    expect(report(error, true).lines.some((line) => line.startsWith('    at '))).toBe(true);
  });

  test('a refused input ends the program as bad input with exit 2', () => {
    expect(report(new InvalidInput([fault(1)])).code).toBe(2);
  });
});

test('the first signal asks to stop, the second one exits with 130 at once, and later ones are not handled', () => {
  const source = new EventEmitter();
  const heard: unknown[] = [];
  const stopListening = onInterrupt(() => heard.push('stop'), { source, exit: (code) => heard.push(code) });
  source.emit('SIGINT');
  source.emit('SIGTERM');
  stopListening();
  expect(heard).toEqual(['stop', 130]);
  expect(source.emit('SIGINT')).toBe(false);
});

test('the formatter writes quantities as people read them', () => {
  expect([0, 999, 1000, 999_949, 999_950, 50_000_000_000].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '999.9 kB',
    '1.0 MB',
    '50.0 GB',
  ]);
  expect([40, 9949, 9950, 59_500, 3_600_000].map(formatDuration)).toEqual(['0.0 s', '9.9 s', '10 s', '1 min 00 s', '1 h 00 min']);
});

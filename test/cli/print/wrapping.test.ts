import { expect, test } from 'vitest';
import { columnsOf, wrapNote, wrapWords } from '../../../cli/print/screen.ts';
import { cutToWidth } from '../../../cli/print/text-width.ts';

const ID = '0b6a1a0e-6a0a-4d3f-9f0a-1f1f1f1f1f1f';

test('the wrapper breaks lines between words and keeps a longer word whole', () => {
  expect(wrapWords('one two three', 8)).toBe('one two\nthree');
  expect(wrapWords('  go https://www.example.com/a on', 12, '  ')).toBe('  go\n    https://www.example.com/a\n    on');
  expect(wrapWords('one two three', null)).toBe('one two three');
});

test('the wrapper breaks no line between a number and its unit, nor within a duration', () => {
  expect(wrapWords('warm in 4.4 s.', 12)).toBe('warm in\n4.4 s.');
  expect(wrapWords('warm in 1 min 07 s, of 15.4 MB', 18)).toBe('warm in\n1 min 07 s, of\n15.4 MB');
  expect(wrapWords('50 of 50 second runs', 10)).toBe('50 of 50\nsecond\nruns');
});

test('a note puts a command on a line of its own and never breaks it, and a log keeps the note in one line', () => {
  const note = `request ${ID} goes on; follow it: prewarm status ${ID} --wait --endpoint https://api.example.com/prod; end it: prewarm cancel ${ID}`;
  expect(wrapNote(note, 60)).toBe(
    [
      `request ${ID} goes on; follow`,
      '  it:',
      `  prewarm status ${ID} --wait --endpoint https://api.example.com/prod`,
      'end it:',
      `  prewarm cancel ${ID}`,
    ].join('\n'),
  );
  expect(wrapNote("interrupted; go on with: prewarm run --resume --data-dir 'a; b'", 80)).toBe(
    "interrupted; go on with:\n  prewarm run --resume --data-dir 'a; b'",
  );
  expect(wrapNote('prewarm: the API failed', 80)).toBe('prewarm: the API failed');
  expect(wrapNote(note, null)).toBe(note);
});

test('the wrapper cuts a text that is too wide between characters, however wide they are', () => {
  expect(cutToWidth('春の発売', 8)).toBe('春の発売');
  expect(cutToWidth('春の発売', 6, '…')).toBe('春の…');
  expect(cutToWidth('\u001b[31mspring launch\u001b[39m', 7, '…')).toBe('spring…');
  expect(cutToWidth('👩‍👩‍👧 family', 2)).toBe('👩‍👩‍👧');
  expect(wrapWords('春の 発売 です', 9)).toBe('春の 発売\nです');
});

test('the width comes from the terminal; without one it comes from COLUMNS or allows all columns', () => {
  expect(columnsOf({ isTTY: true, columns: 132 }, {})).toBe(132);
  expect(columnsOf({ isTTY: true, columns: 0 }, {})).toBe(80);
  expect(columnsOf({}, { COLUMNS: '120' })).toBe(120);
  expect(columnsOf({}, { COLUMNS: 'wide' })).toBe(132);
  expect(columnsOf({}, {}, 80)).toBe(80);
});

import { describe, expect, test } from 'vitest';
import { InvalidInput } from '../../../core/errors.ts';
import { findTaskFaults, parseTaskMessage, type TaskMessage } from '../../../core/work/task.ts';

const TASK: TaskMessage = {
  requestId: '3f1c',
  taskId: 'NRT57-P1#0#0',
  pop: 'NRT57-P1',
  addresses: [{ ip: '192.0.2.1', port: 443, httpPort: 80 }],
  wave: 0,
  slice: { list: 'sized', number: 0, part: 0, start: 0, end: 120, rows: 1 },
};

describe('parseTaskMessage', () => {
  test('a task is read as it was sent, with fields that this version does not know', () => {
    const newer = { ...TASK, later: true };
    expect(parseTaskMessage(newer)).toEqual(newer);
    expect(parseTaskMessage({ ...TASK, headers: 'a'.repeat(43) })).toMatchObject({ headers: 'a'.repeat(43) });
  });

  test('every field that is wrong is named with its value, all at once', () => {
    const wrong = { ...TASK, pop: '', addresses: [{ ip: '192.0.2.1', port: 443 }], slice: { ...TASK.slice, list: 'raw', end: -1 } };
    expect(() => parseTaskMessage(wrong)).toThrow(InvalidInput);
    expect(findTaskFaults(wrong)).toMatchObject([
      { field: 'pop', value: '' },
      { field: 'addresses', value: '[{"ip":"192.0.2.1","port":443}]' },
      { field: 'slice.list', value: 'raw' },
      { field: 'slice.end', value: '-1' },
    ]);
  });

  test.each([['requestId'], ['taskId'], ['pop'], ['addresses'], ['slice']] as const)('a message without its %s is no task', (name) => {
    const { [name]: _, ...rest } = TASK;
    expect(findTaskFaults(rest).map(({ field }) => field.split('.')[0])).toContain(name);
  });

  test('a message is read without its wave, which was not always sent, and refused with another one than 0', () => {
    const { wave: _, ...rest } = TASK;
    expect(findTaskFaults(rest)).toEqual([]);
    expect(findTaskFaults({ ...TASK, wave: 1 })).toMatchObject([{ field: 'wave', value: '1' }]);
  });

  test.each([
    ['part', 1.5],
    ['rows', '1'],
    ['number', Number.MAX_SAFE_INTEGER + 1],
    ['start', null],
  ])('a slice whose %s is %j is refused', (name, value) => {
    expect(findTaskFaults({ ...TASK, slice: { ...TASK.slice, [name]: value } })).toMatchObject([{ field: `slice.${name}` }]);
  });

  test.each([['../secrets'], ['a'.repeat(42)], [5], [null]])('a message that names its headers by %j is refused', (headers) => {
    expect(findTaskFaults({ ...TASK, headers })).toMatchObject([{ field: 'headers' }]);
  });

  test.each([[undefined], [null], ['text'], [7], [[]]])('content that is %j is no task', (content) => {
    expect(findTaskFaults(content).length).toBeGreaterThan(5);
  });
});

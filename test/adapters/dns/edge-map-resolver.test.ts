import { describe, expect, test } from 'vitest';
import { createEdgeMapResolver, parseEdgeMap } from '../../../adapters/dns/edge-map-resolver.ts';
import { InvalidInput } from '../../../core/errors.ts';

function faultsOf(text: string): readonly string[] {
  try {
    parseEdgeMap(text, '--edge-map');
  } catch (error) {
    if (error instanceof InvalidInput) return error.faults.map(({ field, value, message }) => `${field} | ${value} | ${message}`);
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('parseEdgeMap', () => {
  test('an edge map may have a plain list for both schemes, two lists for one each, and IPv6 in brackets', () => {
    const text = JSON.stringify({
      'sin2-p1': ['127.0.0.1:8443', '[::1]:8444'],
      'FRA56-P4': { https: ['127.0.0.2:8443'], http: ['127.0.0.2:8080'] },
    });
    expect(Object.fromEntries(parseEdgeMap(`\uFEFF${text}`, 'x'))).toEqual({
      'SIN2-P1': [
        { ip: '127.0.0.1', port: 8443, httpPort: 8443 },
        { ip: '::1', port: 8444, httpPort: 8444 },
      ],
      'FRA56-P4': [{ ip: '127.0.0.2', port: 8443, httpPort: 8080 }],
    });
  });

  test.each([
    ['{', 'is not JSON'],
    ['[]', 'names no POP'],
    ['{}', 'names no POP'],
    ['null', 'names no POP'],
    ['{"singapore": ["127.0.0.1:1"]}', 'singapore | is no POP name'],
    ['{"SIN2-P1": ["127.0.0.1:1"], "sin2-p1": ["127.0.0.1:1"]}', 'sin2-p1 | is named twice'],
    ['{"SIN2-P1": []}', '[] | of SIN2-P1 names no address'],
    ['{"SIN2-P1": "127.0.0.1:1"}', '127.0.0.1:1 | of SIN2-P1 is not what a POP may be'],
    ['{"SIN2-P1": [7]}', '7 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": ["127.0.0.1"]}', '127.0.0.1 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": ["127.0.0.1:0"]}', '127.0.0.1:0 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": ["127.0.0.1:65536"]}', '127.0.0.1:65536 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": ["::1:443"]}', '::1:443 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": ["[127.0.0.1]:443"]}', '[127.0.0.1]:443 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": ["edge.test:443"]}', 'edge.test:443 | of SIN2-P1 is no address'],
    ['{"SIN2-P1": {"https": ["127.0.0.1:1"]}}', 'of SIN2-P1 is no list of addresses'],
    ['{"SIN2-P1": {"https": ["127.0.0.1:1", "127.0.0.1:2"], "http": ["127.0.0.1:3"]}}', 'of SIN2-P1 lists different addresses'],
    ['{"SIN2-P1": {"https": ["127.0.0.1:1"], "http": ["127.0.0.2:3"]}}', 'of SIN2-P1 lists different addresses'],
  ])('an edge map is refused for %s: %s', (text, fault) => {
    expect(faultsOf(text)).toEqual([expect.stringContaining(fault)]);
  });

  test('an edge map is refused with every fault at once', () => {
    expect(faultsOf('{"x": ["a", "127.0.0.1:1", "b"], "SIN2-P1": {"https": ["c"], "http": []}}')).toHaveLength(5);
  });
});

describe('createEdgeMapResolver', () => {
  const map = parseEdgeMap('{"SIN2-P1": ["127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:2"], "FRA56-P4": ["127.0.0.1:1", "13.32.0.1:443"]}', 'x');

  test('the edge map resolver gives addresses sorted, each once', async () => {
    const resolver = createEdgeMapResolver(map, { allowPrivateAddresses: true });
    expect(await resolver.resolvePop(null, 'SIN2-P1')).toMatchObject({ state: 'resolved', addresses: [{ port: 1 }, { port: 2 }] });
  });

  test('the edge map resolver leaves private addresses out, refuses a POP that has no others, and knows only its own POPs', async () => {
    const resolver = createEdgeMapResolver(map, { allowPrivateAddresses: false });
    expect(await resolver.resolvePop(null, 'FRA56-P4')).toMatchObject({ state: 'resolved', addresses: [{ ip: '13.32.0.1' }] });
    expect(await resolver.resolvePop(null, 'SIN2-P1')).toMatchObject({ state: 'address_refused' });
    expect(await resolver.resolvePop(null, 'LHR61-P3')).toMatchObject({ state: 'pop_unresolvable' });
    expect(await resolver.findDistribution('www.example.com')).toBeNull();
  });
});

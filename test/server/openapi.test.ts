import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { readDocument } from './answer-check.ts';
import { openEdge, serve } from './served.ts';

test('the OpenAPI document needs no key, has every route, and passes the linter without a word', async () => {
  const { flags } = await openEdge();
  const document = await readDocument(await serve(flags));
  expect(
    Object.entries(document.paths)
      .map(([path, methods]) => `${path} ${Object.keys(methods).toSorted().join()}`)
      .toSorted(),
  ).toEqual([
    '/healthz get',
    '/instances get,post',
    '/metrics get',
    '/openapi.json get',
    '/prewarm delete,get,post',
    '/reports/{req_id} get',
    '/requests get',
    '/status get',
    '/summary get',
  ]);
  // Two routes cannot fail.
  const config = await createConfig({ extends: ['recommended'], rules: { 'operation-4xx-response': 'off' } });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`)).toEqual([]);
});

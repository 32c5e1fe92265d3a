import { systemClock } from '../core/clock.ts';
import { InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { createKeepWarmSender } from '../core/keep-warm/keep-warm-sender.ts';
import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import { popCatalogue } from '../data/catalogue.ts';
import { loadFunctionConfig } from './function-config.ts';
import { createInstruments, instrument } from './instrument.ts';
import { createKeepWarmHandler } from './keep-warm-handler.ts';
import { createKeepWarmMetrics } from './keep-warm-metrics.ts';
import { requireRoutes, settingsFrom, variableOf } from '../core/keep-warm/settings.ts';
import { openDownloader } from './ports/downloader.ts';
import { openMinuteClaims } from './ports/minute-claims.ts';
import { openResolver } from './ports/resolver.ts';
import { openSecrets } from './ports/secrets.ts';
import { openStoredTexts } from './ports/stored-texts.ts';

/** A secret that was changed is in use after this. */
const ROUTES_FOR_MS = 10 * 60_000;

const config = loadFunctionConfig(process.env, ['edge']);
const instruments = createInstruments('keep-warm', config);
const table = process.env['PREWARM_KEEP_WARM_TABLE'] ?? '';
if (table === '') throw new InvalidInput([inputFault('PREWARM_KEEP_WARM_TABLE', '', 'is missing; take it from the stack')]);
const settings = settingsFrom((setting) => process.env[variableOf(setting)]);
const catalogue = popCatalogue();
const sources = { readSecret: openSecrets(), readObject: openStoredTexts(), catalogue };

let known: { readonly routes: readonly KeepWarmRoute[]; readonly until: number } | null = null;

async function loadRoutes(): Promise<readonly KeepWarmRoute[]> {
  if (known === null || known.until < Date.now())
    known = { routes: await requireRoutes(settings, sources), until: Date.now() + ROUTES_FOR_MS };
  return known.routes;
}

export const handler = instrument(
  instruments,
  createKeepWarmHandler({
    log: instruments.log,
    clock: systemClock,
    claims: openMinuteClaims(table),
    claimKey: `keep-warm ${config.envName}`,
    loadRoutes,
    publish: createKeepWarmMetrics(config),
    sender: createKeepWarmSender({
      resolver: openResolver(config.edge),
      downloader: openDownloader(config.edge),
      clock: systemClock,
      sameCity: (a, b) => catalogue.sameCity(a, b),
    }),
  }),
);

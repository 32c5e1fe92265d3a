import { systemClock } from '../../core/clock.ts';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { createKeepWarmSender } from '../../core/keep-warm/keep-warm-sender.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { createKeepWarmHandler } from './keep-warm-handler.ts';
import { createKeepWarmMetrics } from './keep-warm-metrics.ts';
import { settingsFrom, variableOf } from '../../deployment/keep-warm-settings.ts';
import { requireRoutes } from '../keep-warm-routes.ts';
import { createRouteMemory } from './route-memory.ts';
import { openDownloader } from '../ports/downloader.ts';
import { openMinuteClaims } from '../ports/minute-claims.ts';
import { openResolver } from '../ports/resolver.ts';
import { openSecrets } from '../ports/secrets.ts';
import { openStoredTexts } from '../ports/stored-texts.ts';

const config = loadFunctionConfig(process.env, ['edge']);
const instruments = createInstruments('keep-warm', config);
const table = process.env['PREWARM_KEEP_WARM_TABLE'] ?? '';
if (table === '') throw new InvalidInput([inputFault('PREWARM_KEEP_WARM_TABLE', '', 'is missing; take it from the stack')]);
const settings = settingsFrom((setting) => process.env[variableOf(setting)]);
const catalogue = popCatalogue();
const sources = { readSecret: openSecrets(), readObject: openStoredTexts(), catalogue };

export const handler = instrument(
  instruments,
  createKeepWarmHandler({
    log: instruments.log,
    clock: systemClock,
    claims: openMinuteClaims(table),
    claimKey: `keep-warm ${config.envName}`,
    loadRoutes: createRouteMemory({ read: () => requireRoutes(settings, sources), clock: systemClock, log: instruments.log }),
    publish: createKeepWarmMetrics(config),
    sender: createKeepWarmSender({
      resolver: openResolver(config.edge),
      downloader: openDownloader(config.edge),
      clock: systemClock,
      sameCity: (a, b) => catalogue.sameCity(a, b),
    }),
  }),
);

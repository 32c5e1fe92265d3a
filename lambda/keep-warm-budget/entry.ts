import { popCatalogue } from '../../data/catalogue.ts';
import { createCustomResource } from '../custom-resource.ts';
import { createFunctionLog } from '../function-log.ts';
import { createBudgetCheck } from './keep-warm-budget-handler.ts';
import { openSecrets } from '../ports/secrets.ts';
import { openStoredTexts } from '../ports/stored-texts.ts';

const sources = { readSecret: openSecrets(), readObject: openStoredTexts(), catalogue: popCatalogue() };

export const handler = createCustomResource(createFunctionLog('keep-warm-budget'), {
  work: createBudgetCheck(sources),
  // It holds nothing.
  remove: async () => undefined,
});

import { createNotifier } from '../../adapters/http/notifier.ts';
import { reportRequest } from '../../core/report/report-request.ts';
import { loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { lazyViewerHeaders } from '../lazy-ports.ts';
import { openLinks } from '../ports/links.ts';
import { openListStore } from '../ports/list-store.ts';
import { openRequestStore } from '../ports/request-store.ts';
import { openTopic } from '../ports/topic.ts';
import { createReportHandler } from './report-handler.ts';

const config = loadFunctionConfig(process.env, ['tables', 'bucket', 'topicArn', 'edge']);
const instruments = createInstruments('report', config);
const store = openRequestStore(config);
const lists = openListStore(config);
const { ca, allowPrivateAddresses } = config.edge;

export const handler = instrument(
  instruments,
  createReportHandler({
    ...instruments,
    store,
    lists,
    viewerHeaders: lazyViewerHeaders(config),
    pipeline: { report: (id, only) => reportRequest({ store, lists }, id, only) },
    links: openLinks(config),
    topic: openTopic(config),
    notifier: createNotifier({ allowPrivateAddresses, ...(ca === null ? {} : { ca }) }),
  }),
);

import type { S3Links } from '../../adapters/aws/s3-links.ts';
import type { Topic } from '../../adapters/aws/sns-topic.ts';
import type { Notifier } from '../../adapters/http/notifier.ts';
import { count } from '../../core/work/counters.ts';
import { viewEnd } from '../../core/report/end-view.ts';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { keys } from '../../core/keys.ts';
import type { ViewerHeaders } from '../../core/ports/viewer-headers.ts';
import { isEnded, type RequestRow } from '../../core/request/request.ts';
import { type EndReportDeps, writeEndReport } from '../end-report.ts';
import { isRequestMessage } from '../event-records.ts';
import type { Instruments } from '../instrument.ts';

export interface ReportDeps extends EndReportDeps, Instruments {
  readonly links: S3Links;
  readonly topic: Topic;
  readonly notifier: Notifier;
  readonly viewerHeaders: Pick<ViewerHeaders, 'drop'>;
}

/** What the bus delivers; a delivery that is tried again has the same id. */
export interface RequestEndedEvent {
  readonly id: string;
  readonly detail: unknown;
}

/** Writes an ended request's report, and announces its end: once, however many events come about it. */
export function createReportHandler(deps: ReportDeps) {
  return async ({ id: eventId, detail }: RequestEndedEvent): Promise<void> => {
    if (!isRequestMessage(detail)) throw new InvalidInput([inputFault('detail', detail, 'names no request')]);
    const row = await deps.store.get(detail.requestId);
    if (row === null) {
      deps.log.info({ request_id: detail.requestId }, 'there is no such request any more');
      return;
    }
    if (!isEnded(row.status)) throw new PrewarmError('conflict', `request ${row.id} has not ended yet; its report comes when it has`);
    const reportKey = await writeEndReport(deps, row);
    if ((await deps.lists.resultMetadata(keys.notified(row.id))) !== null) {
      await dropSecrets(deps, row);
      return;
    }
    if (!(await isAnnouncer(deps, row.id, eventId))) return;
    await announce(deps, row, reportKey);
    const { existing } = await deps.lists.putResult(keys.notified(row.id), '', {});
    if (existing === null) addFigures(deps, row);
    await dropSecrets(deps, row);
  };
}

/** Nobody needs them any more. Every announcement of an end comes here, so that a crash in between leaves nothing for long. */
async function dropSecrets({ store, viewerHeaders }: ReportDeps, { id, spec }: RequestRow): Promise<void> {
  if (spec.headersApart === true) await viewerHeaders.drop(id);
  await store.dropSecrets(id);
}

/** Answers whether this event is to announce the end. The first event that comes here is, also when it is tried again; other events about the same end are not. */
async function isAnnouncer({ lists }: ReportDeps, requestId: string, eventId: string): Promise<boolean> {
  const { existing } = await lists.putResult(keys.notifier(requestId), '', { event: eventId });
  return existing === null || existing['event'] === eventId;
}

async function announce({ links, topic, notifier, metrics, log }: ReportDeps, row: RequestRow, reportKey: string): Promise<void> {
  const reportUrl = await links.linkTo(reportKey, `${row.id}.csv`);
  const end = { ...viewEnd(row), report_url: reportUrl };
  await topic.publish(
    `Pre-warming ${row.id} ${row.status}: ${end.download_count} of ${end.total_count} warm`,
    `${JSON.stringify(end, null, 2)}\n`,
  );
  log.info({ request_id: row.id, status: row.status }, 'the end was told to the topic');
  if (row.spec.notifyUrl === undefined) return;
  const outcome = await notifier.post(row.spec.notifyUrl, end);
  if (outcome.told) {
    log.info({ request_id: row.id }, 'the end was told to notify_url');
    return;
  }
  // Nothing is wrong with the request, and asking a dead listener again for hours helps nobody.
  log.error({ request_id: row.id, fault: outcome.fault }, 'the end could not be told to notify_url');
  metrics.add('NotificationsFailed', 1);
}

/** Targets that were stopped are counted here, since no task reports them. */
function addFigures({ metrics }: ReportDeps, { status, counters }: RequestRow): void {
  metrics.addByStatus('RequestsEnded', status, 1);
  const stopped = count(counters, 'reason.stopped');
  if (stopped > 0) metrics.add('TargetsFailed', stopped);
}

import { type EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { type Clock, formatTimestamp } from '../../core/clock.ts';
import type { Counters } from '../../core/work/counters.ts';
import type { Events } from '../../core/ports/ports.ts';
import type { RequestRow, RequestStatus } from '../../core/request/request.ts';
import { attempt } from './aws-error.ts';
import { EVENT_SOURCE, REQUEST_ENDED } from '../../deployment/names.ts';
import { sendBatch } from './send-batch.ts';

// A lazy import of this module brings the client along.
export { EventBridgeClient } from '@aws-sdk/client-eventbridge';

/** Detail of the event; delivered at least once. */
interface RequestEndedDetail {
  readonly requestId: string;
  readonly status: RequestStatus;
  readonly statusReason: string | null;
  /** Targets in all. */
  readonly totalCount: number;
  readonly counters: Counters;
  /** UTC, `YYYY-MM-DD HH:MM:SS.ffffff`. */
  readonly createdAt: string;
  readonly endedAt: string | null;
}

/** Tells of a request's end on an EventBridge bus. */
export function createEventBus(client: EventBridgeClient, { busName }: { readonly busName: string }, clock: Clock): Events {
  const send = async (entries: readonly PutEventsRequestEntry[]) => {
    const { Entries: answers = [] } = await client.send(new PutEventsCommand({ Entries: [...entries] }));
    // Answers come in the order of the entries; a 200 may refuse some of them.
    return entries.flatMap((entry, place) => {
      const { ErrorCode: code, ErrorMessage: message } = answers[place] ?? { ErrorCode: 'NoAnswer' };
      return code === undefined ? [] : [{ entry, reason: `${code}: ${message ?? ''}` }];
    });
  };
  return {
    async requestEnded(row) {
      const entry: PutEventsRequestEntry = {
        EventBusName: busName,
        Source: EVENT_SOURCE,
        DetailType: REQUEST_ENDED,
        Detail: JSON.stringify(detailOf(row)),
      };
      const doing = `telling the end of ${row.id} on the event bus`;
      await attempt(doing, () => sendBatch(doing, [entry], send, clock));
    },
  };
}

function detailOf(row: RequestRow): RequestEndedDetail {
  const { id: requestId, status, statusReason, totalCount, counters } = row;
  const createdAt = formatTimestamp(row.createdAt);
  const endedAt = row.endedAt === null ? null : formatTimestamp(row.endedAt);
  return { requestId, status, statusReason, totalCount, counters, createdAt, endedAt };
}

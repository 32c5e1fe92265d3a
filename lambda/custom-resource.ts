import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import type { Log } from '../core/ports/log.ts';

/** What CloudFormation hands to the resource: its properties, all of them texts, lists or objects of texts. */
export type CustomResourceProperties = Readonly<Record<string, unknown>>;

/** CloudFormation shows no more of a reason. */
const MAX_REASON = 1000;

interface Answer {
  readonly Status: 'SUCCESS' | 'FAILED';
  readonly Reason?: string;
  readonly Data?: Readonly<Record<string, string>>;
}

async function respond(event: CloudFormationCustomResourceEvent, answer: Answer): Promise<void> {
  const { StackId, RequestId, LogicalResourceId } = event;
  const PhysicalResourceId = 'PhysicalResourceId' in event ? event.PhysicalResourceId : LogicalResourceId;
  const body = JSON.stringify({ StackId, RequestId, LogicalResourceId, PhysicalResourceId, ...answer });
  // The address is signed for requests without a content type.
  const response = await fetch(event.ResponseURL, { method: 'PUT', body, headers: { 'content-type': '' } });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`CloudFormation did not take the answer: status ${response.status}`);
}

/** `work` gives its attributes when it is made or changed; `remove` is done before it goes. */
export interface CustomResourceWork {
  readonly work: (properties: CustomResourceProperties) => Promise<Readonly<Record<string, string>>>;
  readonly remove: () => Promise<void>;
}

/**
 * A handler of a custom resource. What its work throws fails the deploy, or the removal, with that message. CloudFormation is
 * answered in any case, or it would wait for an hour.
 */
export function createCustomResource(
  log: Pick<Log, 'error'>,
  { work, remove }: CustomResourceWork,
): (event: CloudFormationCustomResourceEvent) => Promise<void> {
  const answer = async (event: CloudFormationCustomResourceEvent): Promise<Answer> => {
    if (event.RequestType !== 'Delete') return { Status: 'SUCCESS', Data: await work(event.ResourceProperties) };
    await remove();
    return { Status: 'SUCCESS' };
  };
  return async (event) => {
    let answered: Answer;
    try {
      answered = await answer(event);
    } catch (error) {
      log.error({ err: error }, 'the deploy is refused');
      const reason = error instanceof Error ? error.message : String(error);
      answered = { Status: 'FAILED', Reason: reason.slice(0, MAX_REASON) };
    }
    return respond(event, answered);
  };
}

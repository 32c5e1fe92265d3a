import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import { attempt } from './aws-error.ts';

/** Tells its subscribers. */
export interface Topic {
  /** `subject`: one line of ASCII, at most 100 characters, which is the subject of mails. */
  publish(subject: string, message: string): Promise<void>;
}

export function createSnsTopic(client: SNSClient, { topicArn }: { readonly topicArn: string }): Topic {
  return {
    async publish(subject, message) {
      const command = new PublishCommand({ TopicArn: topicArn, Subject: subject, Message: message });
      await attempt('telling the subscribers of the topic', () => client.send(command));
    },
  };
}

import { CustomResource, Duration } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { NodeFunction } from '../shared/node-function.ts';

export interface KeepWarmBudgetProps {
  readonly envName: string;
  /** The function's input by the names of the parameters; the values are tokens. */
  readonly properties: Readonly<Record<string, string>>;
  readonly statements: readonly PolicyStatement[];
}

/** Looks at the parameters' real values during a deploy, and fails it where they are wrong or would pass the budget. */
export class KeepWarmBudget extends Construct {
  readonly checker: NodeFunction;
  readonly resource: CustomResource;

  constructor(scope: Construct, id: string, { envName, properties, statements }: KeepWarmBudgetProps) {
    super(scope, id);
    this.checker = new NodeFunction(this, 'Checker', {
      envName,
      name: 'keep-warm-budget',
      description: 'Refuses a deploy whose keep-warm parameters are wrong, or would pass the budget',
      entry: 'lambda/keep-warm-budget/entry.ts',
      timeout: Duration.seconds(30),
      memorySize: 256,
      environment: { PREWARM_ENV_NAME: envName },
      statements,
    });
    this.resource = new CustomResource(this, 'Check', {
      serviceToken: this.checker.handler.functionArn,
      resourceType: 'Custom::KeepWarmBudget',
      serviceTimeout: Duration.minutes(2),
      properties: { ...properties },
    });
  }

  attribute(name: 'RequestsPerDay' | 'MonthlyCost'): string {
    return this.resource.getAttString(name);
  }
}

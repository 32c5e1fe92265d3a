import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { createSchedulerTimers } from '../../adapters/aws/scheduler-timers.ts';
import { systemClock } from '../../core/clock.ts';
import type { Timers } from '../../core/ports/timers.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openTimers({ timers }: FunctionConfig<'timers'>): Timers {
  return createSchedulerTimers(new SchedulerClient(), timers, systemClock);
}

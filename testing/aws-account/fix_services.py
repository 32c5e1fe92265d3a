"""What single services leave out."""
import os
import time

from ministack.core import lambda_runtime
from ministack.core.responses import new_uuid
from ministack.services import autoscaling, eventbridge, scheduler, sqs, ssm


# --- Public AMI parameters: PutParameter refuses /aws/...
for arch in ("x86_64", "arm64"):
    for kernel in ("default", "6.1", "6.12", "6.18"):
        name = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{arch}"
        ssm._PUBLIC_AMI_PARAMETERS.setdefault(name, "ami-0abcdef1234567890")


# --- Scheduler: looks every second, not every ten; a rate without a start date begins at once; a target is told the scheduled time.
scheduler._SCHEDULE_TICK_INTERVAL = 1.0
tick_schedules, invoke_target = scheduler._tick_schedules, eventbridge._invoke_target


def tick_from_the_start():
    for key, schedule in list(scheduler._schedules._data.items()):
        if schedule.get("ScheduleExpression", "").startswith("rate(") and not schedule.get("StartDate"):
            scheduler._schedule_last_fired.setdefault(key, 0)
    tick_schedules()


def invoke_with_time(target, event, rule, view=None):
    if event.get("Source") == "aws.scheduler" and target.get("Input"):
        scheduled = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event["Time"]))
        target = {**target, "Input": target["Input"].replace("<aws.scheduler.scheduled-time>", scheduled)}
    return invoke_target(target, event, rule, view)


scheduler._tick_schedules = tick_from_the_start
eventbridge._invoke_target = invoke_with_time


# --- SQS: a lease that ran out is not extended, even while nobody else has the message.
extend_lease = sqs._HANDLERS["ChangeMessageVisibility"]


def extend_running_lease(data, queue_url):
    for message in sqs._get_q(data.get("QueueUrl", queue_url), "sqs:ChangeMessageVisibility")["messages"]:
        if message["receipt_handle"] == data.get("ReceiptHandle") and message["visible_at"] <= sqs.time.time():
            raise sqs._Err("MessageNotInflight", "The message is not in flight.")
    return extend_lease(data, queue_url)


sqs._HANDLERS["ChangeMessageVisibility"] = extend_running_lease


# --- SQS: time that a test lets pass, by writing its seconds to a file, need not be waited for.
class PassingTime:
    def __init__(self, path):
        self.path = path

    def time(self):
        with open(self.path) as passed:
            return time.time() + float(passed.read() or 0)


if "EMULATED_SQS_TIME" in os.environ:
    sqs.time = PassingTime(os.environ["EMULATED_SQS_TIME"])


# --- Auto Scaling: actions that are missing.
def find_instance(instance_id):
    for group in autoscaling._asgs.values():
        for instance in group["Instances"]:
            if instance["InstanceId"] == instance_id:
                return group, instance
    return None, None


def answer_empty(action):
    return lambda params: autoscaling._xml(200, f"{action}Response", f"<{action}Result/>")


def set_instance_protection(params):
    wanted = params.get("ProtectedFromScaleIn") == "true"
    ids = {value for key, value in params.items() if key.startswith("InstanceIds.member.")}
    group = autoscaling._asgs.get(params.get("AutoScalingGroupName")) or {"Instances": []}
    known = {instance["InstanceId"]: instance for instance in group["Instances"]}
    for missing in ids - known.keys():
        return autoscaling._error("ValidationError", f"The instance {missing} is not part of Auto Scaling group.")
    for instance_id in ids:
        known[instance_id]["ProtectedFromScaleIn"] = wanted
    return answer_empty("SetInstanceProtection")(params)


def terminate_instance(params):
    group, instance = find_instance(params.get("InstanceId"))
    if not instance:
        return autoscaling._error("ValidationError", f"Instance Id not found - {params.get('InstanceId')}")
    group["Instances"].remove(instance)
    if params.get("ShouldDecrementDesiredCapacity") == "true":
        group["DesiredCapacity"] -= 1
    autoscaling._reconcile_instances(group)
    activity = (
        f"<Activity><ActivityId>{new_uuid()}</ActivityId>"
        f"<AutoScalingGroupName>{group['AutoScalingGroupName']}</AutoScalingGroupName><Cause>asked for</Cause>"
        f"<StartTime>{autoscaling.now_iso()}</StartTime><StatusCode>InProgress</StatusCode><Progress>0</Progress></Activity>"
    )
    action = "TerminateInstanceInAutoScalingGroup"
    return autoscaling._xml(200, f"{action}Response", f"<{action}Result>{activity}</{action}Result>")


autoscaling._ACTION_MAP.update(
    {
        "SetInstanceProtection": set_instance_protection,
        "TerminateInstanceInAutoScalingGroup": terminate_instance,
        **{
            action: answer_empty(action)
            for action in ("SetInstanceHealth", "SuspendProcesses", "ResumeProcesses", "EnableMetricsCollection")
        },
    }
)


# --- Lambda: do not wait 50 ms for log lines after each invocation.
lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.003, 0.002, 0.05)

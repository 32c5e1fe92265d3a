"""MiniStack as the AWS account of the tests, with in-process fixes for what it leaves out. Run with its environment's python.

Everything here touches what the version pinned below keeps private; another version is refused.
"""
import importlib.metadata
import json
import os
import threading
import time

VERSION = "1.5.33"
if importlib.metadata.version("ministack") != VERSION:
    raise SystemExit(f"launch.py knows ministack {VERSION} only, not {importlib.metadata.version('ministack')}")

from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.responses import new_uuid
from ministack.services import apigateway_v1, autoscaling, dynamodb, lambda_svc, scheduler, sqs, ssm
from ministack.services.cloudformation import provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS


# --- The account ends with whoever started it, even when that was killed.
def watch_parent():
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


threading.Thread(target=watch_parent, daemon=True).start()


# --- CloudFormation: types the engine does not know become records without effect.
def create_record(logical_id, props, stack):
    physical_id = provisioners._physical_name(stack, logical_id, max_len=64)
    return physical_id, {"Arn": f"arn:aws:emulated:::{physical_id}"}


for unknown in (
    "AWS::AutoScaling::WarmPool",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
):
    HANDLERS.setdefault(
        unknown,
        {
            "create": create_record,
            "update": lambda physical_id, old, new, *rest: (physical_id, {"Arn": f"arn:aws:emulated:::{physical_id}"}),
            "delete": lambda physical_id, props: None,
        },
    )


# --- CloudFormation: what a create or an update drops.
def after(resource_type, finish):
    handler = dict(HANDLERS[resource_type])
    create, update = handler["create"], handler["update"]

    def create_and_finish(logical_id, props, stack):
        physical_id, attributes = create(logical_id, props, stack)
        return finish(physical_id, props, attributes)

    def update_and_finish(physical_id, old, new, *rest):
        updated_id, attributes = update(physical_id, old, new, *rest)
        return finish(updated_id, new, attributes)

    handler["create"], handler["update"] = create_and_finish, update_and_finish
    HANDLERS[resource_type] = handler


def tell_cidr_block(physical_id, props, attributes):
    return physical_id, {**(attributes or {}), "CidrBlock": props.get("CidrBlock", "10.0.0.0/16")}


def set_time_to_live(physical_id, props, attributes):
    wanted = props.get("TimeToLiveSpecification")
    if wanted:
        enabled = provisioners._cfn_bool(wanted.get("Enabled", True))
        specification = {"Enabled": enabled, "AttributeName": wanted.get("AttributeName", "")}
        dynamodb._update_ttl({"TableName": physical_id, "TimeToLiveSpecification": specification})
    return physical_id, attributes


def keep_validator(physical_id, props, attributes):
    apigateway_v1._request_validators.setdefault(props["RestApiId"], {})[physical_id] = {
        "id": physical_id,
        "name": props.get("Name", ""),
        "validateRequestBody": provisioners._cfn_bool(props.get("ValidateRequestBody", False)),
        "validateRequestParameters": provisioners._cfn_bool(props.get("ValidateRequestParameters", False)),
    }
    return physical_id, attributes


after("AWS::EC2::VPC", tell_cidr_block)
after("AWS::DynamoDB::Table", set_time_to_live)
after("AWS::DynamoDB::GlobalTable", set_time_to_live)
after("AWS::ApiGateway::RequestValidator", keep_validator)

put_method = apigateway_v1._put_method
create_method = provisioners._apigw_method_create
current_method = threading.local()


def put_method_with_validator(api_id, resource_id, verb, data):
    validator = getattr(current_method, "validator", None)
    return put_method(api_id, resource_id, verb, {**data, "requestValidatorId": validator} if validator else data)


def create_method_with_validator(logical_id, props, stack):
    current_method.validator = props.get("RequestValidatorId")
    try:
        return create_method(logical_id, props, stack)
    finally:
        current_method.validator = None


apigateway_v1._put_method = put_method_with_validator
provisioners._apigw_method_create = create_method_with_validator
HANDLERS["AWS::ApiGateway::Method"] = {**HANDLERS["AWS::ApiGateway::Method"], "create": create_method_with_validator}

metric_alarm_record = provisioners._cw_metric_alarm_record


def any_alarm_record(name, props):
    if props.get("Metrics"):  # metric math: keep the alarm, evaluate nothing
        props = {**props, "MetricName": "MetricMath", "Namespace": "Emulated"}
        props.pop("Metrics")
    return metric_alarm_record(name, props)


provisioners._cw_metric_alarm_record = any_alarm_record


# --- Public AMI parameters: PutParameter refuses /aws/...
for arch in ("x86_64", "arm64"):
    for kernel in ("default", "6.1", "6.12", "6.18"):
        name = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{arch}"
        ssm._PUBLIC_AMI_PARAMETERS.setdefault(name, "ami-0abcdef1234567890")


# --- Scheduler: look every second, not every ten.
scheduler._SCHEDULE_TICK_INTERVAL = 1.0


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


# --- DynamoDB stream mappings: a thread each, retries, bisect, partial batch responses, on-failure destination.
polled = threading.local()
threads = {}
iter_all_mappings, poll_streams, execute_function = (
    lambda_svc._iter_all_esms,
    lambda_svc._poll_dynamodb_streams,
    lambda_svc._execute_function,
)


def iter_own_mappings():
    own = getattr(polled, "only", None)
    return (found for found in iter_all_mappings() if own in (None, found[2]["UUID"]))


def start_mapping_threads():  # called by the one poll loop there is
    for _account, _region, mapping in iter_own_mappings():
        uuid = mapping["UUID"]
        if ":dynamodb:" in mapping.get("EventSourceArn", "") and uuid not in threads:
            threads[uuid] = threading.Thread(target=poll_mapping, args=(uuid,), daemon=True)
            threads[uuid].start()
    return False


def poll_mapping(uuid):
    polled.only = uuid
    while any(mapping["UUID"] == uuid for *_where, mapping in iter_own_mappings()):
        polled.delivering = True
        try:
            busy = poll_streams()
        except Exception as error:
            lambda_svc.logger.error("stream mapping %s: %r", uuid, error)
            busy = False
        finally:
            polled.delivering = False
        if not busy:
            time.sleep(0.05)
    threads.pop(uuid, None)


def execute(function, event):
    if not getattr(polled, "delivering", False):
        return execute_function(function, event)
    polled.delivering = False
    try:
        return deliver(function, event["Records"])
    finally:
        polled.delivering = True


def first_failed(mapping, answer, batch):
    """Index of the first record the function reported as failed; None: the whole batch went through."""
    body = answer.get("body")
    if not isinstance(body, dict) or "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return None
    failed = {failure.get("itemIdentifier") for failure in body.get("batchItemFailures") or []}
    if not failed:
        return None
    return next((at for at, record in enumerate(batch) if record["dynamodb"]["SequenceNumber"] in failed), 0)


def deliver(function, records):
    name, arn = (function.get("config") or function)["FunctionName"], records[0]["eventSourceARN"]
    mapping = next(m for m in lambda_svc._esms.values() if m["FunctionName"] == name and m["EventSourceArn"] == arn)
    limit = mapping.get("MaximumRetryAttempts", -1)
    limit = 10 if limit is None or limit < 0 else int(limit)
    work = [(records, 0)]
    while work:
        batch, tried = work.pop(0)
        answer = execute_function(function, {"Records": batch})
        if not answer.get("error"):
            failed = first_failed(mapping, answer, batch)
            if failed is None:
                continue
            batch = batch[failed:]
        if mapping.get("BisectBatchOnFunctionError") and len(batch) > 1:
            middle = len(batch) // 2
            work[:0] = [(batch[:middle], tried), (batch[middle:], tried)]
        elif tried >= limit:
            lambda_svc._send_ddb_stream_failure_record(mapping, function, batch, arn, answer, "RetryAttemptsExhausted")
        else:
            work.insert(0, (batch, tried + 1))
            time.sleep(0.2)
    return {"body": {}}


lambda_svc._iter_all_esms = iter_own_mappings
lambda_svc._poll_dynamodb_streams = start_mapping_threads
lambda_svc._execute_function = execute


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


# --- IAM enforcement over plain HTTP: what AWS would see is TLS.
evaluate_context = iam_evaluator.EvalContext.__init__


def evaluate_context_over_tls(self, *args, **kwargs):
    evaluate_context(self, *args, **kwargs)
    self.secure_transport = True


iam_evaluator.EvalContext.__init__ = evaluate_context_over_tls

# --- IAM enforcement: nobody is EC2 here. The account's root takes the roles of instances in its place.
evaluate_trust = iam_evaluator.evaluate_trust_policy


def trust_ec2(document, caller_arn, context):
    trusted = "ec2.amazonaws.com" in json.dumps(document) and caller_arn.endswith(":root")
    return trusted or evaluate_trust(document, caller_arn, context)


iam_evaluator.evaluate_trust_policy = trust_ec2

# --- IAM enforcement: SQS has no actions of its own for batches.
extract_iam_action = iam_actions.extract_iam_action


def extract_single_action(*args, **kwargs):
    action = extract_iam_action(*args, **kwargs)
    return action.removesuffix("Batch") if action and action.startswith("sqs:") else action


iam_actions.extract_iam_action = extract_single_action

# --- IAM enforcement: a schedule's group belongs in its ARN.
extract_resource_arn = iam_actions.extract_resource_arn


def extract_arn_with_group(service, method, path, headers, body, query, region, account):
    arn = extract_resource_arn(service, method, path, headers, body, query, region, account)
    if service != "scheduler" or ":schedule/default/" not in arn:
        return arn
    try:
        group = json.loads(body or b"{}").get("GroupName")
    except ValueError:
        group = None
    asked = query.get("groupName")
    group = group or (asked[0] if isinstance(asked, list) else asked)
    return arn.replace(":schedule/default/", f":schedule/{group}/") if group else arn


iam_actions.extract_resource_arn = extract_arn_with_group

from ministack.app import main

main()

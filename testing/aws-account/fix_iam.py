"""IAM enforcement: what it mistakes."""
import json

from ministack.core import iam_actions, iam_evaluator

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


# --- IAM enforcement: a put that must not replace an object says so in the condition key of its header.
s3_context = iam_actions.s3_service_context


def s3_context_with_precondition(iam_action, query_params, path="", headers=None):
    context = s3_context(iam_action, query_params, path, headers)
    precondition = (headers or {}).get("if-none-match")
    if iam_action == "s3:PutObject" and precondition:
        context = {**context, "s3:if-none-match": precondition}
    return context


iam_actions.s3_service_context = s3_context_with_precondition


# --- IAM enforcement: partition keys of the rows that a call names, of tables whose partition key has one of these names.
PARTITION_KEYS = ("pk", "requestId", "id")
dynamodb_context = iam_actions.dynamodb_service_context


def leading_key(row):
    named = next((row[name] for name in PARTITION_KEYS if name in row), {})
    return named.get("S")


def dynamodb_context_with_keys(body):
    context = dynamodb_context(body)
    try:
        call = json.loads(body or b"{}")
    except ValueError:
        return context
    calls = [call] + [one for item in call.get("TransactItems", []) for one in item.values()]
    rows = [one.get("Item") or one.get("Key") for one in calls]
    keys = [key for row in rows if row for key in [leading_key(row)] if key]
    return {**context, "dynamodb:LeadingKeys": keys} if keys else context


iam_actions.dynamodb_service_context = dynamodb_context_with_keys

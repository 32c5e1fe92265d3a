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

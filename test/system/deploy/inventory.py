"""Names of everything in the emulated account that a stack may make, as JSON: kind -> names."""
import json
import os
import sys

import botocore.session

SESSION = botocore.session.get_session()
LISTS = {
    "stacks": ("cloudformation", "describe_stacks", {}, "Stacks", "StackName"),
    "tables": ("dynamodb", "list_tables", {}, "TableNames", None),
    "buckets": ("s3", "list_buckets", {}, "Buckets", "Name"),
    "queues": ("sqs", "list_queues", {}, "QueueUrls", None),
    "functions": ("lambda", "list_functions", {}, "Functions", "FunctionName"),
    "event source mappings": ("lambda", "list_event_source_mappings", {}, "EventSourceMappings", "UUID"),
    "roles": ("iam", "list_roles", {}, "Roles", "RoleName"),
    "instance profiles": ("iam", "list_instance_profiles", {}, "InstanceProfiles", "InstanceProfileName"),
    "policies": ("iam", "list_policies", {"Scope": "Local"}, "Policies", "PolicyName"),
    "groups": ("autoscaling", "describe_auto_scaling_groups", {}, "AutoScalingGroups", "AutoScalingGroupName"),
    "launch templates": ("ec2", "describe_launch_templates", {}, "LaunchTemplates", "LaunchTemplateName"),
    "networks": ("ec2", "describe_vpcs", {}, "Vpcs", "VpcId"),
    "subnets": ("ec2", "describe_subnets", {}, "Subnets", "SubnetId"),
    "security groups": ("ec2", "describe_security_groups", {}, "SecurityGroups", "GroupId"),
    "network endpoints": ("ec2", "describe_vpc_endpoints", {}, "VpcEndpoints", "VpcEndpointId"),
    "internet gateways": ("ec2", "describe_internet_gateways", {}, "InternetGateways", "InternetGatewayId"),
    "log groups": ("logs", "describe_log_groups", {}, "logGroups", "logGroupName"),
    "buses": ("events", "list_event_buses", {}, "EventBuses", "Name"),
    "rules": ("events", "list_rules", {}, "Rules", "Name"),
    "topics": ("sns", "list_topics", {}, "Topics", "TopicArn"),
    "subscriptions": ("sns", "list_subscriptions", {}, "Subscriptions", "SubscriptionArn"),
    "schedule groups": ("scheduler", "list_schedule_groups", {}, "ScheduleGroups", "Name"),
    "schedules": ("scheduler", "list_schedules", {}, "Schedules", "Name"),
    "APIs": ("apigateway", "get_rest_apis", {}, "items", "name"),
    "API keys": ("apigateway", "get_api_keys", {}, "items", "name"),
    "usage plans": ("apigateway", "get_usage_plans", {}, "items", "name"),
    "alarms": ("cloudwatch", "describe_alarms", {}, "MetricAlarms", "AlarmName"),
    "dashboards": ("cloudwatch", "list_dashboards", {}, "DashboardEntries", "DashboardName"),
    "parameters": ("ssm", "describe_parameters", {}, "Parameters", "Name"),
    "secrets": ("secretsmanager", "list_secrets", {}, "SecretList", "Name"),
}


def names(service, operation, parameters, member, name):
    client = SESSION.create_client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    found = getattr(client, operation)(**parameters).get(member) or []
    return sorted(one if name is None else one[name] for one in found)


json.dump({kind: names(*how) for kind, how in LISTS.items()}, sys.stdout)

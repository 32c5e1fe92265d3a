"""What the emulator's CloudFormation refuses, drops or cannot resolve."""
import threading
import uuid

from ministack.services import apigateway_v1, dynamodb, s3
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

HANDLERS = provisioners._RESOURCE_HANDLERS


# --- CloudFormation: types the engine does not know become records without effect.
def record(name_of=None, attributes_of=None):
    """Handlers of a type: `name_of` makes the physical id, `attributes_of` the attributes from that."""

    def attributes(physical_id):
        return attributes_of(physical_id) if attributes_of else {"Arn": f"arn:aws:emulated:::{physical_id}"}

    def create(logical_id, props, stack):
        physical_id = name_of() if name_of else provisioners._physical_name(stack, logical_id, max_len=64)
        return physical_id, attributes(physical_id)

    return {
        "create": create,
        "update": lambda physical_id, old, new, *rest: (physical_id, attributes(physical_id)),
        "delete": lambda physical_id, props: None,
    }


def ec2_id(prefix):
    return lambda: f"{prefix}-{uuid.uuid4().hex[:17]}"


ADDRESS = "203.0.113.10"
for unknown, handlers_of_type in {
    "AWS::AutoScaling::WarmPool": record(),
    "AWS::CloudWatch::CompositeAlarm": record(),
    "AWS::EC2::EIP": record(lambda: ADDRESS, lambda address: {"PublicIp": address, "AllocationId": "eipalloc-0123456789abcdef0"}),
    "AWS::EC2::EIPAssociation": record(ec2_id("eipassoc"), lambda physical_id: {"Id": physical_id}),
    "AWS::EC2::FlowLog": record(),
    "AWS::EC2::Instance": record(ec2_id("i"), lambda instance: {"InstanceId": instance}),
    "AWS::EC2::SecurityGroupEgress": record(),
    "AWS::EC2::SecurityGroupIngress": record(),
}.items():
    HANDLERS.setdefault(unknown, handlers_of_type)


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


def set_bucket_tags(physical_id, props, attributes):
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in props.get("Tags") or []}
    if tags:
        s3._bucket_tags[physical_id] = tags
    return physical_id, attributes


after("AWS::EC2::VPC", tell_cidr_block)
after("AWS::S3::Bucket", set_bucket_tags)
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


# --- CloudFormation: Fn::Join and Fn::Split in conditions.
evaluate_conditions = engine._evaluate_conditions


def resolve_texts(value, parameters):
    if isinstance(value, list):
        return [resolve_texts(one, parameters) for one in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value or "Fn::Split" in value:
        return engine._resolve_refs(value, {}, parameters, {}, {}, "", "")
    return {key: resolve_texts(one, parameters) for key, one in value.items()}


def evaluate_resolved_conditions(template, parameters):
    conditions = resolve_texts(template.get("Conditions", {}), parameters)
    return evaluate_conditions({**template, "Conditions": conditions}, parameters)


for module in (changesets, engine, handlers, stacks):
    module._evaluate_conditions = evaluate_resolved_conditions

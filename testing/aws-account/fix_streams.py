"""Mappings of DynamoDB streams: a thread each, retries, bisect, partial batch responses, on-failure destination."""
import threading
import time

from ministack.services import lambda_svc

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

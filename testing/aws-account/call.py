"""One signed call to the emulated account, for services that the project has no client of: call.py SERVICE OPERATION JSON.

Endpoint, region and credentials come from the environment. Prints the answer as JSON.
"""
import json
import os
import sys

import botocore.session

service, operation, parameters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = botocore.session.get_session().create_client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
json.dump(getattr(client, operation)(**parameters), sys.stdout, default=str)

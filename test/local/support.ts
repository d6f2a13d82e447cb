import { execFile, spawnSync } from 'node:child_process';
import { devNull } from 'node:os';
import { promisify } from 'node:util';
import { DEMO_DANA_KEY, DEMO_TVM_KEY, EMBEDDED_REGION } from '../../src/local/aws/account.ts';
import { startEmbeddedAws, type EmbeddedAws } from '../../src/local/aws/server.ts';

const run = promisify(execFile);

/** Credentials in the form that the SDKs accept. */
export type Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

export const TVM: Credentials = DEMO_TVM_KEY;
export const DANA: Credentials = DEMO_DANA_KEY;

/**
 * Why tests that need a tool cannot run here; undefined if they can. The reason is printed once.
 */
function lacking(command: string, args: readonly string[], what: string): string | undefined {
  const { status } = spawnSync(command, args, { stdio: 'ignore' });
  if (status === 0) return undefined;
  const reason = `skipped: ${what} is not on this machine`;
  process.stderr.write(`${reason}\n`);
  return reason;
}

function FIND(module: string): readonly string[] {
  return [
    '-c',
    `import importlib.util, sys; sys.exit(importlib.util.find_spec("${module}") is None)`,
  ];
}

export function lacksBoto(): string | undefined {
  return lacking('python3', FIND('boto3'), 'python3 with boto3');
}
export function lacksMoto(): string | undefined {
  return lacking('python3', FIND('moto'), 'python3 with moto');
}
export function lacksAwsCli(): string | undefined {
  return lacking('aws', ['--version'], 'the AWS CLI');
}

/**
 * This process's environment without settings of AWS, and without files that could contain some.
 */
export function bareEnvironment(): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))),
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  };
}

/** Runs a Python program with a JSON value on stdin and reads one from its stdout. */
export async function python(program: string, input: unknown = null): Promise<unknown> {
  const running = run('python3', ['-c', program], { maxBuffer: 64 << 20, env: bareEnvironment() });
  running.child.stdin?.end(JSON.stringify(input));
  return JSON.parse((await running).stdout);
}

/** A call by boto3, without its own checks of parameters. */
export type BotoCall = {
  readonly service?: 'sts' | 'ssm' | 'dynamodb' | 'iam' | 'sns';
  readonly method: string;
  readonly params?: object;
  readonly as?: Credentials;
};

/** An answer of AWS as a client in another language parsed it; tests read what they need. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Answer = Record<string, any>;

/** The outcome of a call: the answer, or AWS's error. */
export type BotoOutcome = {
  readonly answer?: Answer;
  readonly code?: string;
  readonly message?: string;
  readonly status?: number;
};

const CALLS = `
import json, sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError
job = json.load(sys.stdin)
clients = {}
def client(service, c):
    key = (service, c["accessKeyId"], c.get("sessionToken"))
    if key not in clients:
        clients[key] = boto3.client(service, endpoint_url=job["url"], region_name=job["region"],
            aws_access_key_id=c["accessKeyId"], aws_secret_access_key=c["secretAccessKey"],
            aws_session_token=c.get("sessionToken"),
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    return clients[key]
out = []
for call in job["calls"]:
    try:
        answer = getattr(client(call["service"], call["as"]), call["method"])(**call["params"])
        answer.pop("ResponseMetadata")
        out.append({"answer": answer})
    except ClientError as e:
        out.append({"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"],
                    "status": e.response["ResponseMetadata"]["HTTPStatusCode"]})
print(json.dumps(out, default=str))
`;

/** Makes calls with boto3 in one Python process, in order; by default calls of STS as the TVM. */
export async function boto(
  url: string,
  calls: readonly BotoCall[],
): Promise<readonly BotoOutcome[]> {
  const whole = calls.map((call) => ({ service: 'sts', as: TVM, params: {}, ...call }));
  const out = await python(CALLS, { url, region: EMBEDDED_REGION, calls: whole });
  return out as readonly BotoOutcome[];
}

/** Runs the AWS CLI against an endpoint; rejects if it fails. */
export async function awsCli(
  url: string,
  as: Credentials,
  ...args: readonly string[]
): Promise<Answer> {
  const { stdout } = await run('aws', ['--endpoint-url', url, '--output', 'json', ...args], {
    env: {
      ...bareEnvironment(),
      AWS_DEFAULT_REGION: EMBEDDED_REGION,
      AWS_ACCESS_KEY_ID: as.accessKeyId,
      AWS_SECRET_ACCESS_KEY: as.secretAccessKey,
      ...(as.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: as.sessionToken }),
    },
  });
  return JSON.parse(stdout);
}

/** Settings of a JavaScript SDK client that does not retry. */
export function sdk(aws: Pick<EmbeddedAws, 'url'>, credentials: Credentials = TVM) {
  return {
    endpoint: aws.url,
    region: EMBEDDED_REGION,
    credentials,
    maxAttempts: 1,
  };
}

/** An embedded AWS on a free port, whose clock is `offset()` milliseconds ahead. */
export function startAws(offset: () => number = () => 0): Promise<EmbeddedAws> {
  return startEmbeddedAws({ port: 0, clock: () => Date.now() + offset() });
}

/** The ARN of a role of the embedded account. */
export function role(name: string): string {
  return `arn:aws:iam::000000000000:role/${name}`;
}

/** Parameters of AssumeRole that the trust policy of the protected roles accepts. */
export function protectedRequest(more: object = {}) {
  return {
    RoleArn: role('SentinelProtected-dev'),
    RoleSessionName: 'alice',
    SourceIdentity: 'sentinel=d=0123456789abcdef=alice',
    ...more,
  };
}

/** The credentials of an AssumeRole answer, in the form that the SDKs accept. */
export function credentialsOf(answer: Answer): Credentials & { readonly sessionToken: string } {
  const { AccessKeyId, SecretAccessKey, SessionToken } = answer['Credentials'];
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

import { DEMO_DANA_KEY, EMBEDDED_REGION } from './aws/account.ts';
import { DEMO_CLIENTS, type DemoClient } from './demo.ts';
import type { Ports } from './environment.ts';

/** Quotes for the shell that the commands are pasted into; no text here contains a quote. */
function quote(text: string, platform: string): string {
  return platform === 'win32' ? `"${text}"` : `'${text}'`;
}

/**
 * A value that is new for each request and signed with it: two equal requests in the same second
 * have the same signature.
 */
function nonce(platform: string): string {
  return platform === 'win32' ? '%RANDOM%%RANDOM%%RANDOM%' : '$(openssl rand -hex 16)';
}

function vend({ accessKeyId, secret }: DemoClient, { tvm }: Ports, platform: string): string {
  return (
    `curl --aws-sigv4 aws:amz:${EMBEDDED_REGION}:execute-api --user ${accessKeyId}:${secret} ` +
    `-H "x-sentinel-nonce: ${nonce(platform)}" ` +
    quote(`http://127.0.0.1:${tvm}/?profile=dev`, platform)
  );
}

/** Turns a vend's answer into exports for a POSIX shell; base64 needs no quoting there. */
const EXPORTS =
  'const c = JSON.parse(require("fs").readFileSync(0)); "export AWS_DEFAULT_REGION=' +
  EMBEDDED_REGION +
  ' AWS_ACCESS_KEY_ID=" + c.AccessKeyId + " AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey + " AWS_SESSION_TOKEN=" + c.SessionToken';

function identity(ports: Ports, platform: string): readonly string[] {
  const aws = `aws --endpoint-url http://127.0.0.1:${ports.aws} sts get-caller-identity`;
  const curl = vend(DEMO_CLIENTS.alice, ports, platform).replace('curl ', 'curl -s ');
  return platform === 'win32'
    ? [
        '# With AccessKeyId, SecretAccessKey and SessionToken of that answer in the environment:',
        aws,
      ]
    : [
        '# Put them into the environment, and ask AWS whose they are:',
        `eval "$(${curl} | node -pe '${EXPORTS}')"`,
        aws,
      ];
}

/** dana has no registered key: the client signs with her AWS key, and the TVM asks STS. */
function dana({ tvm }: Ports, platform: string): readonly string[] {
  const { accessKeyId, secretAccessKey } = DEMO_DANA_KEY;
  const run = `node .scripts/sentinel-tvm.mjs credentials --profile dev --url http://127.0.0.1:${tvm}`;
  const what = '# Credentials for the IAM user dana, with the client:';
  return platform === 'win32'
    ? [
        what,
        `set AWS_ACCESS_KEY_ID=${accessKeyId}& set AWS_SECRET_ACCESS_KEY=${secretAccessKey}& ${run}`,
      ]
    : [what, `AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} ${run}`];
}

/**
 * What `npm run local` prints once the TVM is healthy: commands to paste.
 *
 * @param platform as in `process.platform`; decides the quotes
 */
export function recipes(ports: Ports, platform: string): string {
  return [
    '',
    `The TVM listens on http://127.0.0.1:${ports.tvm}, its AWS on http://127.0.0.1:${ports.aws}. Ctrl-C stops both.`,
    '',
    '# Credentials for alice:',
    vend(DEMO_CLIENTS.alice, ports, platform),
    '# No rule matches carol, so she gets 403:',
    vend(DEMO_CLIENTS.carol, ports, platform),
    ...identity(ports, platform),
    ...dana(ports, platform),
    '',
    '',
  ].join('\n');
}

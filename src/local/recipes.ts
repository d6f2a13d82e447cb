import { DEMO_DANA_KEY, EMBEDDED_REGION } from './aws/account.ts';
import { DEMO_CLIENTS, type DemoClient } from './demo.ts';
import type { Ports } from './environment.ts';

/** Quotes for the shell that the commands will be pasted into; nothing quoted here holds a quote. */
function quote(text: string, platform: string): string {
  return platform === 'win32' ? `"${text}"` : `'${text}'`;
}

/** A value that no two requests share, signed with each: two equal ones in one second would have one signature. */
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

/** Reads a vend's answer and writes the exports of a POSIX shell; base64 and ARNs need no quoting in between. */
const EXPORTS =
  'const c = JSON.parse(require("fs").readFileSync(0)); "export AWS_DEFAULT_REGION=' +
  EMBEDDED_REGION +
  ' AWS_ACCESS_KEY_ID=" + c.AccessKeyId + " AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey + " AWS_SESSION_TOKEN=" + c.SessionToken';

function identity(ports: Ports, platform: string): readonly string[] {
  const aws = `aws --endpoint-url http://127.0.0.1:${ports.aws} sts get-caller-identity`;
  const curl = vend(DEMO_CLIENTS.alice, ports, platform).replace('curl ', 'curl -s ');
  return platform === 'win32'
    ? ['# With AccessKeyId, SecretAccessKey and SessionToken of that answer in the environment:', aws]
    : ['# Into the environment, and who that is:', `eval "$(${curl} | node -pe '${EXPORTS}')"`, aws];
}

/** dana has no key of the TVM: the client signs with what AWS gave her, and the TVM asks STS. */
function dana({ tvm }: Ports, platform: string): readonly string[] {
  const { accessKeyId, secretAccessKey } = DEMO_DANA_KEY;
  const run = `node .scripts/sentinel-tvm.mjs credentials --profile dev --url http://127.0.0.1:${tvm}`;
  const what = '# The IAM user dana, by the client:';
  return platform === 'win32'
    ? [what, `set AWS_ACCESS_KEY_ID=${accessKeyId}& set AWS_SECRET_ACCESS_KEY=${secretAccessKey}& ${run}`]
    : [what, `AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} ${run}`];
}

/**
 * What `npm run local` prints once it serves: commands to paste.
 *
 * @param platform as in `process.platform`; decides the quotes
 */
export function recipes(ports: Ports, platform: string): string {
  return [
    '',
    `The TVM serves on http://127.0.0.1:${ports.tvm}, its AWS on http://127.0.0.1:${ports.aws}. Ctrl-C ends both.`,
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

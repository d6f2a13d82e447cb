import { EMBEDDED_REGION } from './aws/account.ts';
import { DEMO_CLIENTS, type DemoClient } from './demo.ts';
import type { Ports } from './environment.ts';

/** Quotes for the shell that the commands will be pasted into; nothing quoted here holds a quote. */
const quote = (text: string, platform: string): string => (platform === 'win32' ? `"${text}"` : `'${text}'`);

const vend = ({ accessKeyId, secret }: DemoClient, { tvm }: Ports, platform: string): string =>
  `curl --aws-sigv4 aws:amz:${EMBEDDED_REGION}:execute-api --user ${accessKeyId}:${secret} ` +
  quote(`http://127.0.0.1:${tvm}/?profile=dev`, platform);

/** Reads a vend's answer and writes the exports of a POSIX shell; base64 and ARNs need no quoting in between. */
const EXPORTS =
  'const c = JSON.parse(require("fs").readFileSync(0)); "export AWS_DEFAULT_REGION=' +
  EMBEDDED_REGION +
  ' AWS_ACCESS_KEY_ID=" + c.AccessKeyId + " AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey + " AWS_SESSION_TOKEN=" + c.SessionToken';

const identity = (ports: Ports, platform: string): readonly string[] => {
  const aws = `aws --endpoint-url http://127.0.0.1:${ports.aws} sts get-caller-identity`;
  const curl = vend(DEMO_CLIENTS.alice, ports, platform).replace('curl ', 'curl -s ');
  return platform === 'win32'
    ? ['# With AccessKeyId, SecretAccessKey and SessionToken of that answer in the environment:', aws]
    : ['# Into the environment, and who that is:', `eval "$(${curl} | node -pe '${EXPORTS}')"`, aws];
};

/**
 * What `npm run local` prints once it serves: commands to paste.
 *
 * @param platform as in `process.platform`; decides the quotes
 */
export const recipes = (ports: Ports, platform: string): string =>
  [
    '',
    `The TVM serves on http://127.0.0.1:${ports.tvm}, its AWS on http://127.0.0.1:${ports.aws}. Ctrl-C ends both.`,
    '',
    '# Credentials for alice:',
    vend(DEMO_CLIENTS.alice, ports, platform),
    '# No rule matches carol, so she gets 403:',
    vend(DEMO_CLIENTS.carol, ports, platform),
    ...identity(ports, platform),
    '',
    '',
  ].join('\n');

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

type Where = { readonly ports: Ports; readonly platform: string };

function vend(
  { accessKeyId, secret }: DemoClient,
  { ports: { tvm }, platform }: Where,
  profile: 'dev' | 'prod' = 'dev',
): string {
  return (
    `curl --aws-sigv4 aws:amz:${EMBEDDED_REGION}:execute-api --user ${accessKeyId}:${secret} ` +
    `-H "x-sentinel-nonce: ${nonce(platform)}" ` +
    quote(`http://127.0.0.1:${tvm}/?profile=${profile}`, platform)
  );
}

/** Turns a vend's answer into exports for a POSIX shell; base64 needs no quoting there. */
const EXPORTS =
  'const c = JSON.parse(require("fs").readFileSync(0)); "export AWS_DEFAULT_REGION=' +
  EMBEDDED_REGION +
  ' AWS_ACCESS_KEY_ID=" + c.AccessKeyId + " AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey + " AWS_SESSION_TOKEN=" + c.SessionToken';

function identity(where: Where): readonly string[] {
  const { ports, platform } = where;
  const aws = `aws --endpoint-url http://127.0.0.1:${ports.aws} sts get-caller-identity`;
  const curl = vend(DEMO_CLIENTS.alice, where).replace('curl ', 'curl -s ');
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

type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };

/**
 * The client, signing with a key, whatever profile, region and session token there are where it is
 * pasted: credentials that were pasted before leave a token there.
 */
function client(
  { accessKeyId, secretAccessKey }: Key,
  args: string,
  { ports, platform }: Where,
): string {
  const [verb, join] = platform === 'win32' ? ['set ', '& '] : ['', ' '];
  const variables = [
    'AWS_PROFILE=',
    'AWS_SESSION_TOKEN=',
    `AWS_ACCESS_KEY_ID=${accessKeyId}`,
    `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
  ].map((variable) => `${verb}${variable}${join}`);
  return `${variables.join('')}node .scripts/sentinel-tvm.mjs ${args} --url http://127.0.0.1:${ports.tvm} --region ${EMBEDDED_REGION}`;
}

/** The client, signing with the registered key of a demo caller. */
function clientOf({ accessKeyId, secret }: DemoClient, args: string, where: Where): string {
  return client({ accessKeyId, secretAccessKey: secret }, `${args} --registered-key`, where);
}

/** dana has no registered key: the client signs with her AWS key, and the TVM asks STS. */
function dana(where: Where): readonly string[] {
  return [
    '# Credentials for the IAM user dana, with the client:',
    client(DEMO_DANA_KEY, 'credentials --profile dev', where),
  ];
}

const ASKS = 'request prod --justification "Deploy release 42 of the shop"';

/** Takes the id out of the JSON of a request. */
const ID = 'node -pe \'JSON.parse(require("fs").readFileSync(0)).request_id\'';

/** What an approval is: alice asks, bob looks and approves, alice vends. */
function story(where: Where): readonly string[] {
  const { alice, bob } = DEMO_CLIENTS;
  const asks =
    where.platform === 'win32'
      ? clientOf(alice, ASKS, where)
      : `REQUEST=$(${clientOf(alice, `${ASKS} --json`, where)} | ${ID})`;
  const id = where.platform === 'win32' ? 'ID' : '"$REQUEST"';
  return [
    '# Profile prod needs an approval. alice asks for one, and says why:',
    asks,
    '# Until somebody approves, a vend gets 403, which says what waits for whom (without a request it makes one):',
    vend(alice, where, 'prod'),
    `# bob looks what waits for him, and approves what he is shown${id === 'ID' ? ' (ID is that of the request)' : ''}:`,
    clientOf(bob, 'requests --view review', where),
    clientOf(bob, `approve ${id} --comment "Go ahead"`, where),
    '# alice gets credentials for prod, with curl or with the client:',
    vend(alice, where, 'prod'),
    clientOf(alice, 'credentials --profile prod', where),
  ];
}

const OPENS =
  'break-glass prod --reason-code incident --justification "Payments fail since 14:02 UTC"';

/** Takes the id out of the JSON of a break-glass event. */
const EVENT_ID = ID.replace('request_id', 'event_id');

/** What break-glass is: bob opens prod by himself, vends, and closes it; olivia reviews. */
function emergency(where: Where): readonly string[] {
  const { bob, olivia } = DEMO_CLIENTS;
  const opens =
    where.platform === 'win32'
      ? clientOf(bob, OPENS, where)
      : `EVENT=$(${clientOf(bob, `${OPENS} --json`, where)} | ${EVENT_ID})`;
  const id = where.platform === 'win32' ? 'ID' : '"$EVENT"';
  return [
    '# In an emergency nobody waits for an approval. bob opens prod by himself, and says why:',
    opens,
    '# It vends at once, and everybody hears of it:',
    vend(bob, where, 'prod'),
    `# bob closes it when it is over${id === 'ID' ? ' (ID is that of the event)' : ''}, and olivia reviews what it was used for:`,
    clientOf(bob, `break-glass close ${id} --reason "Payments work again"`, where),
    clientOf(olivia, `break-glass review ${id} --comment "The restart was needed"`, where),
  ];
}

/**
 * What `npm run local` prints once the TVM is healthy: commands to paste.
 *
 * @param platform as in `process.platform`; decides the quotes
 */
export function recipes(ports: Ports, platform: string): string {
  const where = { ports, platform };
  return [
    '',
    `The TVM listens on http://127.0.0.1:${ports.tvm}, its AWS on http://127.0.0.1:${ports.aws}. Ctrl-C stops both.`,
    '',
    '# Credentials for alice:',
    vend(DEMO_CLIENTS.alice, where),
    '# No rule matches carol, so she gets 403:',
    vend(DEMO_CLIENTS.carol, where),
    ...identity(where),
    ...dana(where),
    '',
    ...story(where),
    '',
    ...emergency(where),
    '',
    '',
  ].join('\n');
}

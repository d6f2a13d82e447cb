/** A demo caller with a registered key: its access key id and secret, and its name in policies. */
export type DemoClient = {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly name: string;
};

function client(name: string): DemoClient {
  return {
    accessKeyId: `TVMDEMO${name.toUpperCase()}`,
    secret: `demo-${name}-not-a-secret`,
    name,
  };
}

/** The demo callers. Their keys are public, and every TVM whose AWS is not local refuses them. */
export const DEMO_CLIENTS = {
  alice: client('alice'),
  bob: client('bob'),
  carol: client('carol'),
  olivia: client('olivia'),
} as const;

/** One parameter of SSM. */
export type DemoDocument = {
  readonly name: string;
  readonly type: 'String' | 'SecureString';
  readonly value: string;
};

/** alice has a registered key and dana is an IAM user; bare names belong to registered keys. */
const DEV_POLICY = `version: "1"
rules:
  - name: engineers-in-dev
    effect: allow
    conditions:
      profiles: [dev]
      users: [alice, user/dana]
    reason: Engineers work in dev.
`;

const PROD_POLICY = `version: "1"
rules:
  - name: prod-takes-two
    effect: require_approval
    conditions:
      profiles: [prod]
      users: [alice]
    reason: Changes to production need a second person; bob approves.
`;

const VAULT_POLICY = `version: "1"
rules:
  - name: alice-left-the-vault
    effect: deny
    conditions:
      profiles: [vault]
      users: [alice]
    reason: Alice moved from the vault team to engineering; ask olivia if this is wrong.
`;

/**
 * Nobody approves their own request, so alice would not be among the approvers even if she were
 * listed.
 */
const APPROVAL_POLICY = `version: "1"
rules:
  - name: prod-approvers
    profiles: [prod]
    approvers: [bob, olivia]
    max_duration: 1h
`;

const BREAK_GLASS_POLICY = `version: "1"
rules:
  - name: prod-emergencies
    profiles: [prod]
    users: [alice, bob]
    allowed_reason_codes: [incident, recovery]
    max_duration: 1h
    review: { by: [olivia], within: 24h }
`;

const OPERATORS = `version: "1"
rules:
  - name: security-desk
    users: [olivia]
    actions: [list, revoke, explain, lift]
`;

function profile(account: string, name: string, description: string): string {
  return JSON.stringify(
    {
      role_arn: `arn:aws:iam::${account}:role/SentinelProtected-${name}`,
      description,
      max_duration: '1h',
    },
    null,
    2,
  );
}

/**
 * The demo documents: who may vend what, and the clients' keys.
 *
 * @param where.account the account of the protected roles, 12 digits
 * @param where.root the root of policies and profiles, without trailing slash
 * @param where.secretsRoot the root of the clients' secrets, without trailing slash
 */
export function demoDocuments({
  account,
  root,
  secretsRoot,
}: {
  readonly account: string;
  readonly root: string;
  readonly secretsRoot: string;
}): readonly DemoDocument[] {
  function parameter(path: string, value: string): DemoDocument {
    return { name: `${root}/${path}`, type: 'String', value };
  }
  return [
    parameter('policies/dev', DEV_POLICY),
    parameter('policies/prod', PROD_POLICY),
    parameter('policies/vault', VAULT_POLICY),
    parameter(
      'profiles/dev',
      profile(account, 'dev', 'The development account: build, try, break.'),
    ),
    parameter('profiles/prod', profile(account, 'prod', 'Production; somebody else approves.')),
    parameter('profiles/vault', profile(account, 'vault', 'Keys and backups.')),
    parameter('approval-policy', APPROVAL_POLICY),
    parameter('break-glass-policy', BREAK_GLASS_POLICY),
    parameter('operators', OPERATORS),
    ...Object.values(DEMO_CLIENTS).map(({ accessKeyId, secret, name }): DemoDocument => ({
      name: `${secretsRoot}/clients/${accessKeyId}`,
      type: 'SecureString',
      value: JSON.stringify({ secret, name }),
    })),
  ];
}

import type { SigningKey } from '../../contract/shapes.ts';
import { formatInstant } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import type { Outcome } from '../command.ts';
import type { ConnectionFlags } from '../connection-flags.ts';
import { switchFlag } from '../flags.ts';
import type { Login } from '../login-file.ts';
import { jsonLine, printable } from '../printable.ts';
import { isKeySource } from '../settings.ts';
import { defineTvmCommand } from '../tvm-command.ts';
import type { Tvm } from '../tvm.ts';

/**
 * Behind a front, or with a registered key, each request is signed by the caller: there is nothing
 * to log in to.
 */
function objectToFront({ front, registeredKey }: ConnectionFlags): string | undefined {
  if (registeredKey)
    return 'A registered key needs no login: it signs each request; use credentials or whoami.';
  return front === undefined
    ? undefined
    : 'There is no login behind a Lambda front: AWS verifies each request; use credentials or whoami.';
}

/** A new login does not ask for the key of the last one: whoever is there now signs. */
function inheritNoKey(last: Login | undefined): Login | undefined {
  return last !== undefined && isKeySource(last.source) ? { ...last, source: 'default' } : last;
}

/**
 * `login`: a key of the TVM, kept for the commands that follow; its JSON only if it was asked for.
 */
async function run(tvm: Tvm, { print }: { readonly print: boolean }): Outcome {
  const key = await tvm.login();
  if (!key.ok) return key;
  const who = await tvm.ask('whoami');
  if (!who.ok) return who;
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt, url } = key.value;
  const expiration = formatInstant(expiresAt);
  const printed: SigningKey = {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration,
  };
  return ok({
    stdout: print ? jsonLine(printed) : '',
    stderr: `Logged in at ${url} as ${printable(who.value['name'])} until ${expiration}.\n`,
  });
}

export const login = defineTvmCommand({
  name: 'login',
  flags: { print: switchFlag() },
  help: [['login [--print]', 'get a key of the TVM for the AWS credentials that you have']],
  object: objectToFront,
  inherit: inheritNoKey,
  run,
});

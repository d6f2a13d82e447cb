import * as v from 'valibot';
import { SigningKey } from '../contract/shapes.ts';
import { formatInstant } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { escapeUnseen } from '../lib/unseen.ts';
import type { Command } from './arguments.ts';
import { printable } from './printable.ts';
import type { Tvm } from './tvm.ts';

/** What a command has to say: data on stdout, words for people on stderr. */
export type Output = { readonly stdout?: string; readonly stderr?: string };

type Outcome = Promise<Result<Output, string>>;

/** A line of JSON for programs; whoever reads it at a terminal sees all that is in it. */
function jsonLine(value: unknown): string {
  return `${escapeUnseen(JSON.stringify(value))}\n`;
}

/**
 * `credentials`: exactly what AWS's SDKs take from a credential_process.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
export async function credentials(tvm: Tvm, command: Extract<Command, { name: 'credentials' }>): Outcome {
  const { profile, duration, label } = command;
  const query = { profile, duration: `${duration}`, ...(label === undefined ? {} : { session_label: label }) };
  const answer = await tvm.ask('vend', query);
  if (!answer.ok) return answer;
  const parsed = v.safeParse(SigningKey, answer.value);
  if (!parsed.success) return refuse('The TVM answered without credentials; check --url.');
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = parsed.output;
  const contract = { Version: 1, AccessKeyId, SecretAccessKey, SessionToken, Expiration };
  return ok({ stdout: jsonLine(contract) });
}

/** `whoami`: a line for each thing that the TVM knows of the caller. */
export async function whoami(tvm: Tvm, { json }: Extract<Command, { name: 'whoami' }>): Outcome {
  const answer = await tvm.ask('whoami');
  if (!answer.ok) return answer;
  if (json) return ok({ stdout: jsonLine(answer.value) });
  const lines = Object.entries(answer.value).map(
    ([name, value]) => `${`${printable(name)}:`.padEnd(22)}${printable(value, 2_048)}\n`,
  );
  return ok({ stdout: lines.join('') });
}

/** `login`: a key of the TVM, kept for the commands that follow; its JSON only if it was asked for. */
export async function login(tvm: Tvm, { print }: Extract<Command, { name: 'login' }>): Outcome {
  const key = await tvm.login();
  if (!key.ok) return key;
  const who = await tvm.ask('whoami');
  if (!who.ok) return who;
  const { accessKeyId, secretAccessKey, sessionToken, expiresAt, url } = key.value;
  const expiration = formatInstant(expiresAt);
  const stderr = `Logged in at ${url} as ${printable(who.value['name'])} until ${expiration}.\n`;
  const printed = {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration,
  };
  return ok({ stderr, ...(print ? { stdout: jsonLine(printed) } : {}) });
}

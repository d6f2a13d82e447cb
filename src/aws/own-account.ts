import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { isAccountId } from '../lib/arn.ts';
import { SECOND } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';

const DEADLINE = 5 * SECOND;

/**
 * Tells the account that the TVM's own credentials belong to, by GetCallerIdentity, asked once. Throws while STS does
 * not answer; the next call asks again.
 */
export const createOwnAccount = (sts: STSClient): (() => Promise<string>) => {
  let account: string | undefined;
  const ask = singleFlight(async () => {
    const identity = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: AbortSignal.timeout(DEADLINE) });
    if (identity.Account === undefined || !isAccountId(identity.Account)) {
      throw new Error('GetCallerIdentity answered without an account id');
    }
    account = identity.Account;
    return account;
  });
  return () => (account === undefined ? ask() : Promise.resolve(account));
};

import type { Command } from './command.ts';
import { approve } from './commands/approve.ts';
import { cancel } from './commands/cancel.ts';
import { credentials } from './commands/credentials.ts';
import { deny } from './commands/deny.ts';
import { end } from './commands/end.ts';
import { login } from './commands/login.ts';
import { namesMigrate } from './commands/names-migrate.ts';
import { request } from './commands/request.ts';
import { requests } from './commands/requests.ts';
import { whoami } from './commands/whoami.ts';

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [
  login,
  credentials,
  whoami,
  request,
  requests,
  approve,
  deny,
  cancel,
  end,
  namesMigrate,
];

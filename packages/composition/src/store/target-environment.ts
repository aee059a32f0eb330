const PREFIX = 'ONEVAULT_TARGET_';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment as the store of a copy's target should see it: `ONEVAULT_TARGET_AWS_…` in the place of `AWS_…`, `ONEVAULT_TARGET_S3_CREDENTIALS_COMMAND` in that of
 * `ONEVAULT_S3_CREDENTIALS_COMMAND`. When there is any of them, none of the source's is used: two halves of different credentials help nobody.
 */
export function targetEnvironment(env: Environment): Environment {
  const own = Object.keys(env).filter((name) => env[name] && (name.startsWith(`${PREFIX}AWS_`) || name === `${PREFIX}S3_CREDENTIALS_COMMAND`));
  if (own.length === 0) return env;
  const others = Object.entries(env).filter(([name]) => !name.startsWith('AWS_') && name !== 'ONEVAULT_S3_CREDENTIALS_COMMAND');
  return Object.fromEntries([...others, ...own.map((name) => [nameOf(name), env[name]] as const)]);
}

function nameOf(name: string): string {
  const rest = name.slice(PREFIX.length);
  return rest.startsWith('AWS_') ? rest : `ONEVAULT_${rest}`;
}

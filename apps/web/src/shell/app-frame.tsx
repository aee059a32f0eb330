import { ActionIcon, AppShell, Burger, Menu, Tooltip, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Notifications } from '@mantine/notifications';
import { IconKeyboard, IconLogout, IconMoon, IconPlugConnected, IconPlugConnectedX, IconSun, IconSunMoon, IconUser } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useMemo, useRef } from 'react';
import { call } from '../api/calls.ts';
import { useSession } from '../session/session.tsx';
import { SESSION_KEY } from '../session/session-key.ts';
import { HelpDialog } from './help-dialog.tsx';
import { useServerEvents, useStreamStanding } from './live-events.ts';
import { destinationsFor } from './navigation.ts';
import { useShortcuts } from './shortcuts.ts';

export function AppFrame() {
  const { role, version } = useSession();
  const groups = useMemo(() => destinationsFor(role), [role]);
  const destinations = useMemo(() => groups.flatMap((group) => group.destinations), [groups]);
  const [menuOpen, menu] = useDisclosure(false);
  const [helpOpen, help] = useDisclosure(false);
  useServerEvents();
  useShortcuts(destinations, help.open);
  const main = useFocusOnNavigation(menu.close);
  const burger = useRef<HTMLButtonElement>(null);
  const closeOnEscape = ({ key }: KeyboardEvent): void => {
    if (key !== 'Escape' || !menuOpen) return;
    menu.close();
    burger.current?.focus();
  };
  return (
    <AppShell header={{ height: 44 }} navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !menuOpen } }} padding="sm" transitionDuration={0}>
      <a className="ov-skip" href="#main">
        Skip to the content
      </a>
      <AppShell.Header>
        <div className="ov-header">
          <Burger ref={burger} opened={menuOpen} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label={menuOpen ? 'close the menu' : 'open the menu'} />
          <Link to="/" className="ov-brand">
            <img src="/icon.svg" alt="" width={22} height={22} /> onevault
          </Link>
          <span className="ov-grow" />
          <Connection />
          <SchemeSwitch />
          <Tooltip label="Keyboard (?)">
            <ActionIcon variant="subtle" color="gray" onClick={help.open} aria-label="keyboard help" visibleFrom="sm">
              <IconKeyboard size={18} />
            </ActionIcon>
          </Tooltip>
          <UserMenu />
        </div>
      </AppShell.Header>
      <AppShell.Navbar className="ov-navbar" data-open={menuOpen} onKeyDown={closeOnEscape}>
        <nav className="ov-nav" aria-label="main">
          {groups.map((group) => (
            <div key={group.title}>
              <h2>{group.title}</h2>
              {group.destinations.map(({ to, title, icon: Icon }) => (
                <Link key={to} to={to} activeOptions={{ exact: to === '/', includeSearch: false }} onClick={menu.close}>
                  <Icon size={16} aria-hidden /> {title}
                </Link>
              ))}
            </div>
          ))}
          <h2>onevault {version}</h2>
        </nav>
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1} style={{ outline: 'none' }}>
        <Outlet />
      </AppShell.Main>
      <HelpDialog opened={helpOpen} onClose={help.close} destinations={destinations} />
      <Notifications position="bottom-right" limit={4} />
    </AppShell>
  );
}

/** A new page is where reading goes on: the focus goes to it, as it would with a page that was loaded. */
function useFocusOnNavigation(onChange: () => void) {
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    onChange();
    main.current?.focus({ preventScroll: true });
  }, [pathname, onChange]);
  return main;
}

function Connection() {
  const open = useStreamStanding() === 'open';
  const Icon = open ? IconPlugConnected : IconPlugConnectedX;
  const text = open ? 'live: what happens is shown as it happens' : 'not live: the stream of events is cut and is tried again';
  return (
    <Tooltip label={text}>
      <span className={open ? 'ov-tone-ok' : 'ov-tone-warn'} role="status" aria-label={text} style={{ display: 'inline-flex', alignItems: 'center', gap: 4 }}>
        <Icon size={17} aria-hidden /> {!open && 'not live'}
      </span>
    </Tooltip>
  );
}

const SCHEMES = { light: [IconSun, 'dark', 'light'], dark: [IconMoon, 'auto', 'dark'], auto: [IconSunMoon, 'light', 'as the system has it'] } as const;

function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [Icon, next, text] = SCHEMES[colorScheme];
  return (
    <Tooltip label={`Colours: ${text}`}>
      <ActionIcon variant="subtle" color="gray" onClick={() => setColorScheme(next)} aria-label={`colours: ${text}; change to ${SCHEMES[next][2]}`}>
        <Icon size={18} />
      </ActionIcon>
    </Tooltip>
  );
}

function UserMenu() {
  const { user, role } = useSession();
  const client = useQueryClient();
  const signOut = useMutation({ mutationFn: () => call('signOut', {}), onSettled: () => client.setQueryData(SESSION_KEY, null) });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`signed in as ${user}, ${role}`}>
          <IconUser size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {user} · {role}
        </Menu.Label>
        <Menu.Item leftSection={<IconLogout size={14} />} onClick={() => signOut.mutate()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

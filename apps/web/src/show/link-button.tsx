import { Button } from '@mantine/core';
import { createLink } from '@tanstack/react-router';

/** A link that looks like a button: it can be opened in another tab. */
export const LinkButton = createLink(Button<'a'>);

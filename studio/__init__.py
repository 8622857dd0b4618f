"""The studio: pages that read a workspace, write wishes and draw; nothing is trained here."""

"""What browsers and other machines get around the text: head, scripts, one stylesheet."""

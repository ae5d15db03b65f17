"""What optgen generates; do not edit."""

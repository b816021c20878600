"""What Meltano Hub needs to list the tap."""
